/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "delta_steps.h"
#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/delta.h"

static uint32_t counters_len(const struct ota_delta_kept *kept) {
    return 2 * ota_delta_counters_of(kept->header.profile);
}

uint32_t ota_delta_saved_len(const struct ota_delta *delta) {
    return (uint32_t)sizeof delta->kept + counters_len(&delta->kept) + OTA_DELTA_SAVED_CRC_LEN;
}

void ota_delta_save(const struct ota_delta *delta, uint8_t *out) {
    uint32_t len = ota_delta_saved_len(delta) - OTA_DELTA_SAVED_CRC_LEN;
    memcpy(out, &delta->kept, sizeof delta->kept);
    memcpy(out + sizeof delta->kept, delta->counters, counters_len(&delta->kept));
    ota_store32_le(out + len, ota_crc32(0, out, len));
}

/* Whoever can write a state with the right CRC can write the slot, too: what it says is believed. */
static enum ota_status restore(struct ota_delta *delta, const uint8_t *saved, uint32_t len) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t layout = kept->layout;
    if (len < sizeof *kept + OTA_DELTA_SAVED_CRC_LEN) return OTA_ERR_STATE;
    if (ota_crc32(0, saved, len - OTA_DELTA_SAVED_CRC_LEN) != ota_load32_le(saved + len - OTA_DELTA_SAVED_CRC_LEN))
        return OTA_ERR_STATE;
    memcpy(kept, saved, sizeof *kept);
    if (kept->layout != layout || len != ota_delta_saved_len(delta)) return OTA_ERR_STATE;
    if (ota_delta_counters_of(kept->header.profile) > delta->counters_len) return OTA_ERR_STATE;
    if (kept->header.base.len != 0 && kept->header.base.len != delta->base.layout.len) return OTA_ERR_STATE;
    memcpy(delta->counters, saved + sizeof *kept, counters_len(kept));
    memcpy(delta->out, kept->waiting, kept->waiting_len);
    delta->out_len = kept->waiting_len;
    delta->is_resumed = true;
    return OTA_OK;
}

enum ota_status ota_delta_resume(struct ota_delta *delta, const uint8_t *saved, uint32_t len, uint32_t *patch_off) {
    delta->kept.status = restore(delta, saved, len);
    *patch_off = delta->kept.patch_off;
    return (enum ota_status)delta->kept.status;
}
