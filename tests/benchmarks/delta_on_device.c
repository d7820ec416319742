/* SPDX-License-Identifier: Apache-2.0 */
/* Applies one patch that lies in memory; the measuring script puts it there and reads the target. */
#include <string.h>

#include "ota/delta.h"

/* What the script fills in, at the address it passes to apply_patch(). */
struct job {
    uint32_t base;
    uint32_t patch;
    uint32_t patch_len;
    uint32_t target;
    struct ota_delta_base base_facts;
};

/* The decoder's memory, where the script finds it. */
struct ota_delta decoder;
uint16_t counters[OTA_DELTA_COUNTERS_LARGE];

static uint8_t *at(uint32_t addr) { return (uint8_t *)(uintptr_t)addr; }

static enum ota_status begin(void *ctx, const struct ota_delta_header *header) {
    (void)ctx;
    (void)header;
    return OTA_OK;
}

static enum ota_status read_base(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct job *job = ctx;
    memcpy(out, at(job->base + off), len);
    return OTA_OK;
}

static enum ota_status read_target(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct job *job = ctx;
    memcpy(out, at(job->target + off), len);
    return OTA_OK;
}

static enum ota_status write_target(void *ctx, uint32_t off, const void *bytes, uint32_t len) {
    const struct job *job = ctx;
    memcpy(at(job->target + off), bytes, len);
    return OTA_OK;
}

static enum ota_status checkpoint(void *ctx, const struct ota_delta *delta, uint32_t patch_off) {
    (void)ctx;
    (void)delta;
    (void)patch_off;
    return OTA_OK;
}

enum ota_status apply_patch(struct job *job);

enum ota_status apply_patch(struct job *job) {
    const struct ota_delta_port port = {job, begin, read_base, read_target, write_target, checkpoint};
    ota_delta_init(&decoder, counters, OTA_DELTA_COUNTERS_LARGE, &job->base_facts);
    TRY(ota_delta_push(&decoder, &port, at(job->patch), job->patch_len));
    return ota_delta_finish(&decoder, &port);
}
