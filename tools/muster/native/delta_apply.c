/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_apply.h"

#include <stdlib.h>

#include "delta_buffers.h"

static enum ota_status apply(struct ota_delta *delta, const struct ota_delta_port *port, const uint8_t *patch,
                             uint32_t patch_len, uint32_t piece_len) {
    for (uint32_t off = 0; off < patch_len;) {
        uint32_t len = patch_len - off;
        if (piece_len != 0 && len > piece_len) len = piece_len;
        TRY(ota_delta_push(delta, port, patch + off, len));
        off += len;
    }
    return ota_delta_finish(delta, port);
}

enum ota_status muster_delta_apply(const uint8_t *base, const struct ota_delta_base *base_facts, const uint8_t *patch,
                                   uint32_t patch_len, uint32_t piece_len, uint8_t *target, uint32_t target_size,
                                   uint32_t *target_len) {
    struct muster_buffers buffers = {base, base_facts->layout.len, target, target_size, 0};
    const struct ota_delta_port port = muster_buffers_port(&buffers);
    struct {
        struct ota_delta delta;
        uint16_t counters[OTA_DELTA_COUNTERS_LARGE];
    } *decoder = malloc(sizeof *decoder);
    if (decoder == NULL) return OTA_ERR_BUFFER;
    ota_delta_init(&decoder->delta, decoder->counters, OTA_DELTA_COUNTERS_LARGE, base_facts);
    enum ota_status status = apply(&decoder->delta, &port, patch, patch_len, piece_len);
    *target_len = buffers.target_len;
    free(decoder);
    return status;
}
