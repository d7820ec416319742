/* SPDX-License-Identifier: Apache-2.0 */
#include "claim.h"

#include <string.h>

#include "agent/agent.h"
#include "check_in.h"
#include "device.h"
#include "ota/report.h"
#include "store_keys.h"
#include "trial.h"

static uint8_t code[OTA_REPORT_CLAIM_CODE_LEN];
static bool has_code;
static bool is_told; /* since it was given */

void claim_start(void) {
    uint32_t len;
    has_code =
        device.has_store &&
        ota_store_read(&device.store, OTA_STORE_SETTINGS, STORE_KEY_CLAIM_CODE, code, sizeof code, &len) == OTA_OK &&
        len == sizeof code;
}

static bool is_printable(const uint8_t *bytes, uint32_t len) {
    for (uint32_t i = 0; i < len; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~') return false;
    }
    return true;
}

enum ota_status claim_take(const uint8_t *untrusted, uint32_t len) {
    if (len != sizeof code || !is_printable(untrusted, len)) return OTA_ERR_MESSAGE;
    if (!device.has_store) return OTA_ERR_STATE;
    trial_feed_watchdog(); /* the store may have to be compacted */
    /* cut: the code before, or none, until the host gives this one again */
    TRY(ota_store_write(&device.store, OTA_STORE_SETTINGS, STORE_KEY_CLAIM_CODE, untrusted, len));
    memcpy(code, untrusted, sizeof code);
    has_code = true;
    is_told = false;
    check_in_with_news();
    return OTA_OK;
}

bool claim_code(struct ota_span *told) {
    if (!has_code) return false;
    *told = (struct ota_span){code, sizeof code};
    is_told = true;
    return true;
}

void claim_take_acknowledgement(void) {
    if (!has_code || !is_told) return;
    has_code = false;
    /* cut: it is told once more after the start, and the server knows it */
    enum ota_status status = ota_store_remove(&device.store, OTA_STORE_SETTINGS, STORE_KEY_CLAIM_CODE);
    if (status != OTA_OK) agent_log(AGENT_WARN, "the claim code cannot be removed, status %d", status);
}
