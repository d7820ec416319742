/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_DELTA_BINDING_H
#define FUZZ_DELTA_BINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/delta.h"

/* The decoder as the fuzzer sees it. All that depends on the decoder's functions or on the patch's header is in
 * delta_binding.c. There is one decoder, in memory that nothing else shares. */

enum {
    FUZZ_TARGET_MAX = 6144, /* longest target that the port agrees to */
    FUZZ_STATE_MAX = OTA_DELTA_SAVED_MAX,
    FUZZ_PARTS = 4,
};

/* One of the bases that inputs choose from: programs.py makes them. */
struct fuzz_base {
    const uint8_t *bytes;
    struct ota_delta_base facts;
};

extern const struct fuzz_base fuzz_bases[];
extern const uint32_t fuzz_base_count;

/* Memory that a decoder has. */
enum fuzz_memory {
    FUZZ_MEMORY_SMALL = 0,
    FUZZ_MEMORY_LARGE = 1,
};

/* Target bytes that are written from front to back without holes. */
struct fuzz_part {
    uint32_t begin;
    uint32_t end;
};

/* What the checks need of a header. */
struct fuzz_header {
    uint32_t base_len; /* 0: no base */
    uint32_t target_len;
    uint32_t alignment;                 /* of what is written */
    struct fuzz_part parts[FUZZ_PARTS]; /* in the order of writing; together the whole target */
};

void fuzz_header_read(const struct ota_delta_header *header, struct fuzz_header *out);

/* The memory that this patch needs. */
enum fuzz_memory fuzz_patch_memory(const uint8_t *patch, uint32_t len);

/* `fill`: what every byte of the decoder's memory is before it is initialised. */
void fuzz_decoder_init(const struct fuzz_base *base, enum fuzz_memory memory, uint8_t fill);
enum ota_status fuzz_decoder_push(const struct ota_delta_port *port, const uint8_t *bytes, uint32_t len);
enum ota_status fuzz_decoder_finish(const struct ota_delta_port *port);

/* Whether the decoder says that the target is whole. */
bool fuzz_decoder_is_done(void);

/* Whether a step took more of the patch than a step may: bytes that had not come were taken for zeros. */
bool fuzz_decoder_has_overtaken(void);

/* Bytes of a state as a device keeps it at a checkpoint, and back. They stand at the end of `out`, where the sanitizer
 * is on guard behind them. */
uint32_t fuzz_decoder_save(const struct ota_delta *delta, uint8_t out[FUZZ_STATE_MAX]);
enum ota_status fuzz_decoder_resume(const struct fuzz_base *base, enum fuzz_memory memory, const uint8_t *saved,
                                    uint32_t len, uint8_t fill, uint32_t *patch_off);

/* After a run that said OK: whether the target that the port has is the one that the header names, and whether all that
 * the decoder derives in it holds. */
bool fuzz_target_holds(const uint8_t *target);

/* For mutations. Length of the header at the start of a patch of `len` bytes; at most `len`. */
uint32_t fuzz_patch_header_len(const uint8_t *patch, uint32_t len);

/* Makes a mutated header one that the decoder goes on from. Returns the patch's new length: at most `len_max`. */
uint32_t fuzz_patch_mend(uint8_t *patch, uint32_t len, uint32_t len_max, const struct fuzz_base *base);

/* After a run of this patch that ended with OTA_ERR_IDENTITY: makes its header name what it made. */
void fuzz_patch_name_target(uint8_t *patch, uint32_t len);

#endif
