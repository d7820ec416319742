/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_apply.h"

#include <stdlib.h>
#include <string.h>

struct buffers {
    const uint8_t *base;
    uint32_t base_len;
    uint8_t *target;
    uint32_t target_size;
    uint32_t target_len;
};

static enum ota_status begin(void *ctx, const struct ota_delta_header *header) {
    struct buffers *buffers = ctx;
    if (header->base_len != buffers->base_len) return OTA_ERR_PATCH_BASE;
    if (header->target_len > buffers->target_size) return OTA_ERR_PATCH_SIZE;
    buffers->target_len = header->target_len;
    return OTA_OK;
}

static enum ota_status read_base(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct buffers *buffers = ctx;
    if (off > buffers->base_len || len > buffers->base_len - off) return OTA_ERR_PATCH_RANGE;
    memcpy(out, buffers->base + off, len);
    return OTA_OK;
}

static enum ota_status read_target(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct buffers *buffers = ctx;
    if (off > buffers->target_len || len > buffers->target_len - off) return OTA_ERR_PATCH_RANGE;
    memcpy(out, buffers->target + off, len);
    return OTA_OK;
}

static enum ota_status write_target(void *ctx, uint32_t off, const void *bytes, uint32_t len) {
    struct buffers *buffers = ctx;
    if (off > buffers->target_len || len > buffers->target_len - off) return OTA_ERR_PATCH_RANGE;
    memcpy(buffers->target + off, bytes, len);
    return OTA_OK;
}

static enum ota_status checkpoint(void *ctx, const struct ota_delta *delta, uint32_t patch_off) {
    (void)ctx;
    (void)delta;
    (void)patch_off;
    return OTA_OK;
}

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

enum ota_status muster_delta_apply(const uint8_t *base, uint32_t base_len, const uint8_t *patch, uint32_t patch_len,
                                   uint32_t piece_len, uint8_t *target, uint32_t target_size, uint32_t *target_len) {
    struct buffers buffers = {base, base_len, target, target_size, 0};
    const struct ota_delta_port port = {&buffers, begin, read_base, read_target, write_target, checkpoint};
    struct ota_delta *delta = malloc(sizeof *delta);
    if (delta == NULL) return OTA_ERR_BUFFER;
    ota_delta_init(delta, OTA_DELTA_PROFILE_4K);
    enum ota_status status = apply(delta, &port, patch, patch_len, piece_len);
    *target_len = buffers.target_len;
    free(delta);
    return status;
}
