/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_buffers.h"

#include <string.h>

static enum ota_status begin(void *ctx, const struct ota_delta_header *header) {
    struct muster_buffers *buffers = ctx;
    if (header->target.len > buffers->target_size) return OTA_ERR_PATCH_SIZE;
    buffers->target_len = header->target.len;
    return OTA_OK;
}

static enum ota_status read_base(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct muster_buffers *buffers = ctx;
    if (off > buffers->base_len || len > buffers->base_len - off) return OTA_ERR_PATCH_RANGE;
    memcpy(out, buffers->base + off, len);
    return OTA_OK;
}

static enum ota_status read_target(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct muster_buffers *buffers = ctx;
    if (off > buffers->target_len || len > buffers->target_len - off) return OTA_ERR_PATCH_RANGE;
    memcpy(out, buffers->target + off, len);
    return OTA_OK;
}

static enum ota_status write_target(void *ctx, uint32_t off, const void *bytes, uint32_t len) {
    struct muster_buffers *buffers = ctx;
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

struct ota_delta_port muster_buffers_port(struct muster_buffers *buffers) {
    return (struct ota_delta_port){buffers, begin, read_base, read_target, write_target, checkpoint};
}
