/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include <stdbool.h>

#include "agent/agent.h"
#include "chip/time.h"
#include "chip/watchdog.h"
#include "device.h"
#include "ota/bytes.h"
#include "product_config.h"

static bool given_up;

void trial_poll(void) {
    if (given_up || !device_is_on_trial()) return;
    if (chip_time_ms() / 1000u < product_config.trial_deadline_s) return;
    given_up = true;
    agent_log(AGENT_ERROR, "trial: no contact in %lu s, going back", (unsigned long)product_config.trial_deadline_s);
    /* cut: without the record the next boot begins the trial again. If it cannot be written the watchdog still resets
     * us, and the bootloader rejects the trial with that reason. */
    const struct ota_bootlog_record *attempt = &device.facts.attempt;
    enum ota_status status = device_append(OTA_BOOTLOG_REJECTED, device.slot, OTA_REASON_NO_CONTACT, attempt->attempt,
                                           device.running.identity, device.running.manifest.security_counter);
    if (status != OTA_OK) agent_log(AGENT_ERROR, "trial: cannot be rejected, status %d", status);
}

enum ota_status trial_confirm(const uint8_t identity[OTA_IDENTITY_SHORT_LEN]) {
    if (!device.has_running || !ota_bytes_equal(identity, device.running.identity, OTA_IDENTITY_SHORT_LEN)) {
        return OTA_ERR_IDENTITY;
    }
    if (device_is_confirmed()) return OTA_OK;
    if (given_up || !device_is_on_trial()) return OTA_ERR_STATE;
    uint32_t counter = device.running.manifest.security_counter;
    if (counter < device.requirements.security_counter) counter = device.requirements.security_counter;
    /* cut: the trial begins again, or this image is confirmed; both images are whole */
    return device_append(OTA_BOOTLOG_CONFIRMED, device.slot, OTA_REASON_NONE, device.facts.attempt.attempt,
                         device.running.identity, counter);
}

void trial_feed_watchdog(void) {
    if (!given_up) chip_watchdog_feed();
}
