/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_source.h"

#include "delta_output.h"
#include "ota/bytes.h"

void ota_delta_source_begin(struct ota_delta *delta) { delta->window_len = 0; }

const uint8_t *ota_delta_source_view(struct ota_delta *delta, uint32_t source) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t base_len = kept->base_body_len, end = base_len, place = source;
    bool is_base = source < base_len;
    if (!is_base) {
        place -= base_len;
        end = kept->position;
    }
    uint32_t before = ota_min_u32(OTA_DELTA_VIEW_BEFORE, place),
             behind = ota_min_u32(OTA_DELTA_VIEW_BEHIND, end - place);
    uint32_t into = place - delta->window_first;
    kept->view_is_base = is_base;
    kept->view_place = place;
    kept->view_before = (uint8_t)before;
    kept->view_behind = (uint8_t)behind;
    /* outside of the window, `into` is smaller than `before` or, wrapped, a large number */
    if (into < before || into > OTA_DELTA_WINDOW_SIZE || into + behind > delta->window_len ||
        delta->window_is_base != is_base) {
        into = before;
        delta->window_is_base = is_base;
        delta->window_first = place - before;
        delta->window_len = ota_min_u32(OTA_DELTA_WINDOW_SIZE, end - delta->window_first);
        ota_delta_read_body(delta, is_base, delta->window_first, delta->window, delta->window_len);
    }
    return delta->window + into;
}
