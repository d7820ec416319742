/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_H
#define OTA_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/sha256.h"
#include "ota/status.h"

/* Streaming patch decoder: docs/spec/patch.md. The caller pushes patch bytes in pieces of any size; the decoder reads
 * the base image and writes the target image through a port. It allocates nothing and keeps all it knows in
 * struct ota_delta. */

enum {
    OTA_DELTA_HEADER_SIZE = 64,
    OTA_DELTA_CHECKPOINT_LEN = 32768, /* bytes of output between two checkpoints */
    OTA_DELTA_OUT_SIZE = 256,         /* longest piece given to write_target */
    OTA_DELTA_LOOKAHEAD_SIZE = 128,   /* patch bytes taken in before they are needed */
    OTA_DELTA_STEP_INPUT_MAX = 64,    /* no step consumes more: docs/spec/patch.md section 6 */
    OTA_DELTA_SOURCE_SIZE = 64,       /* bytes of a copy's source that are read at once */
    OTA_DELTA_COUNTERS = 1456,        /* of the model: docs/spec/patch.md section 5 */
    OTA_DELTA_STATE_MAX = 4096,       /* what profile 1 promises; sizeof(struct ota_delta) is below */
    OTA_DELTA_LENGTH_MAX = 0x01000000,
};

/* Bits of the mask given to ota_delta_init(). */
enum {
    OTA_DELTA_PROFILE_4K = 1u << 1,  /* profile 1 */
    OTA_DELTA_PROFILE_16K = 1u << 2, /* profile 2 */
};

enum ota_delta_kind {
    OTA_DELTA_RAW = 0,   /* any bytes: no table, no tail, nothing derived */
    OTA_DELTA_IMAGE = 1, /* docs/spec/image.md */
};

/* A header that ota_delta_header_parse() accepted: every rule of docs/spec/patch.md section 2 holds. Nothing more is
 * known: whether these are the images at hand is for the port's begin() to say. */
struct ota_delta_header {
    uint8_t profile;
    uint8_t kind;           /* enum ota_delta_kind */
    uint16_t body_hash_off; /* of the manifest's body hash, from target_ext_start; 0 in a raw patch */
    uint32_t base_len;      /* 0: a full image */
    uint32_t base_reloc_start;
    uint32_t base_ext_start;
    uint32_t target_len;
    uint32_t target_reloc_start;
    uint32_t target_ext_start;
    uint32_t load_base; /* address of the images' first byte in canonical form */
    uint8_t base_identity[16];
    uint8_t target_identity[16];
};

/* Range decoder over its look-ahead. */
struct ota_range_decoder {
    uint32_t low;
    uint32_t high;
    uint32_t code;    /* low <= code <= high */
    uint32_t overrun; /* 1: a byte was asked for that is not there */
    uint32_t in_pos;
    uint32_t in_len;
    uint8_t in[OTA_DELTA_LOOKAHEAD_SIZE];
};

/* Decoder state: integers only, so that its bytes are a checkpoint. Fields are the decoder's own. */
struct ota_delta {
    uint32_t layout; /* marks these bytes as a state of this decoder */
    int32_t status;  /* the first failure; it stays */
    uint32_t profiles;
    uint32_t patch_off; /* patch bytes taken from the caller */
    uint8_t state;
    uint8_t part;
    uint8_t last_operation;
    uint8_t ended; /* 1: no more patch bytes will come */
    struct ota_delta_header header;

    uint32_t written;    /* target bytes that the port has, in output order */
    uint32_t out_len;    /* bytes behind them that wait in out[] */
    uint32_t out_hashed; /* of these, how many the hashes have seen */
    uint8_t out[OTA_DELTA_OUT_SIZE];

    uint32_t run_left;    /* bytes that the current operation still makes */
    uint32_t source;      /* where its next byte comes from: base offset, or target position in output order */
    uint32_t alignment;   /* base offset minus target offset of the last base copy, modulo 2^32 */
    uint32_t hit_history; /* bit 0: whether the last byte of a base copy was as predicted */
    uint32_t hit_run;
    uint32_t source_first; /* base offset or target position of source_bytes[0] */
    uint32_t source_len;
    uint8_t source_bytes[OTA_DELTA_SOURCE_SIZE];

    uint32_t derived_field; /* number of the next derived field; enum in delta_derived.h */
    uint8_t derived[32];    /* its bytes, once its first byte is reached */
    uint32_t crc;
    struct ota_sha256 sha256;

    struct ota_range_decoder range;
    uint16_t counters[OTA_DELTA_COUNTERS];
};

/* What the decoder reads and writes. All offsets are into canonical images. Any status but OTA_OK stops the decoder. */
struct ota_delta_port {
    void *ctx;

    /* The header has been read and holds. Called once, before any other function and never after a resume: the place
     * to compare sizes and identities with what was announced and to refuse. */
    enum ota_status (*begin)(void *ctx, const struct ota_delta_header *header);

    /* Copies base bytes; [off, off + len) lies inside the base. */
    enum ota_status (*read_base)(void *ctx, uint32_t off, void *out, uint32_t len);

    /* Copies target bytes that were written before, as write_target was given them. */
    enum ota_status (*read_target)(void *ctx, uint32_t off, void *out, uint32_t len);

    /* Writes target bytes, in the order of docs/spec/patch.md: relocation table, [0, reloc_start), extension area and
     * suffix; each part rising without holes, off and len multiples of 4 (a raw target's last piece may end
     * anywhere). After a resume, bytes that were written before are written again, the same. */
    enum ota_status (*write_target)(void *ctx, uint32_t off, const void *bytes, uint32_t len);

    /* Called after each OTA_DELTA_CHECKPOINT_LEN bytes of output, when all output so far has been written: the state
     * may be saved now, byte for byte, and decoding resumed from it later. `patch_off` is the number of patch bytes
     * the state has consumed: push from there after a resume. */
    enum ota_status (*checkpoint)(void *ctx, const struct ota_delta *delta, uint32_t patch_off);
};

/* `profiles`: mask of the profiles this device has memory for. */
void ota_delta_init(struct ota_delta *delta, uint32_t profiles);

/* Takes in the next `len` bytes of the patch and writes what they make. A failure stays: every later call returns
 * it. */
OTA_MUST_CHECK enum ota_status ota_delta_push(struct ota_delta *delta, const struct ota_delta_port *port,
                                              const uint8_t *bytes, uint32_t len);

/* No more bytes will come: writes the rest. OTA_OK means that the whole target has been written, that the patch ended
 * where it should, and that the target's identity is the header's (of an image: its body has the manifest's hash).
 * The tail outside the manifest is as the patch has it: signatures are still to be checked. */
OTA_MUST_CHECK enum ota_status ota_delta_finish(struct ota_delta *delta, const struct ota_delta_port *port);

/* Whether ota_delta_finish() has succeeded. */
bool ota_delta_is_done(const struct ota_delta *delta);

/* Makes `delta`, whose bytes were restored from a checkpoint, ready for ota_delta_push(); `patch_off` receives the
 * offset in the patch to push from. The caller has compared patch and base with those of the checkpoint.
 * OTA_ERR_STATE: these bytes are no checkpoint of this decoder. */
OTA_MUST_CHECK enum ota_status ota_delta_resume(struct ota_delta *delta, uint32_t *patch_off);

/* Reads a header. OTA_ERR_PATCH_TRUNCATED: fewer than OTA_DELTA_HEADER_SIZE bytes. Any profile
 * number is accepted here; the decoder refuses those it was not initialised with. */
OTA_MUST_CHECK enum ota_status ota_delta_header_parse(const uint8_t *untrusted, uint32_t len,
                                                      struct ota_delta_header *out);

#endif
