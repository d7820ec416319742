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
    uint32_t first = place - before, len = ota_min_u32(OTA_DELTA_WINDOW_SIZE, end - first);
    kept->view_is_base = is_base;
    kept->view_place = place;
    kept->view_before = (uint8_t)before;
    kept->view_behind = (uint8_t)behind;
    /* below the window the difference wraps to a large number */
    if (first < delta->window_first || first - delta->window_first + before + behind > delta->window_len ||
        delta->window_is_base != is_base) {
        delta->window_is_base = is_base;
        delta->window_first = first;
        delta->window_len = len;
        ota_delta_read_body(delta, is_base, first, delta->window, len);
    }
    return delta->window + (place - delta->window_first);
}
