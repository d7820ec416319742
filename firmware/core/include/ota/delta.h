/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_H
#define OTA_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/reloc.h"
#include "ota/status.h"

/* Streaming patch decoder: docs/spec/patch.md. The caller pushes patch bytes in pieces of any size; the decoder reads
 * the base and writes the target through a port. It allocates nothing: all it knows is in struct ota_delta. */

enum {
    OTA_DELTA_BASE_CHECK_LEN = 3,
    OTA_DELTA_TARGET_CHECK_LEN = 4,
    OTA_DELTA_HEADER_MAX = 20,
    OTA_DELTA_LENGTH_MAX = 0x1FFFFF,  /* of a base or a target: 2 MiB less one byte */
    OTA_DELTA_CHECKPOINT_LEN = 32768, /* bytes of output between two checkpoints */
    OTA_DELTA_OUT_SIZE = 1024,        /* bytes on their way to write_target */
    OTA_DELTA_LOOKAHEAD_SIZE = 192,   /* patch bytes taken in before they are needed */
    OTA_DELTA_STEP_INPUT_MAX = 80,    /* no step takes more: docs/spec/patch.md section 10 */
    OTA_DELTA_ZEROS_MAX = 4,          /* bytes that the encoder may leave out at the end */
    OTA_DELTA_WINDOW_SIZE = 64,       /* bytes of a copy's source that are read at once */
    OTA_DELTA_MODULE_SUFFIX_LEN = 38, /* SHA-256, suffix length, CRC */
    OTA_DELTA_MODULE_MIN_LEN = 64,
};

/* Bits of the mask given to ota_delta_init(). */
enum {
    OTA_DELTA_PROFILE_SMALL = 1u << 1, /* profile 1 */
    OTA_DELTA_PROFILE_LARGE = 1u << 2, /* profile 2 */
};

enum ota_delta_kind {
    OTA_DELTA_RAW = 0,           /* any bytes: nothing is derived */
    OTA_DELTA_IMAGE = 1,         /* docs/spec/image.md */
    OTA_DELTA_MODULE_AT_0 = 2,   /* Particle's module format, its prefix at the first byte */
    OTA_DELTA_MODULE_AT_184 = 3, /* the same, its prefix behind a vector table */
};

/* Of an image or module: what the decoder must know of the base, and learns of the target. */
struct ota_delta_layout {
    uint32_t len;
    uint32_t reloc_start; /* of an image's relocation table; the length of anything else */
};

struct ota_delta_base {
    struct ota_delta_layout layout;          /* length 0: there is no base */
    uint8_t check[OTA_DELTA_BASE_CHECK_LEN]; /* first bytes of the image's identity; of other bytes, of their SHA-256 */
};

/* A header that ota_delta_header_parse() accepted: every rule of docs/spec/patch.md section 2 holds, and the base at
 * hand is the one that it names. */
struct ota_delta_header {
    uint8_t profile;
    uint8_t kind; /* enum ota_delta_kind */
    uint8_t base_check[OTA_DELTA_BASE_CHECK_LEN];
    uint8_t target_check[OTA_DELTA_TARGET_CHECK_LEN];
    struct ota_delta_layout base; /* length 0: a full image */
    struct ota_delta_layout target;
    uint32_t load_base; /* address of both images' first byte; of a module with a base, known after begin() */
};

/* A copy. Target and source are positions in the body (docs/spec/patch.md section 3); behind the base's body, the
 * source is the target's. */
struct ota_delta_segment {
    uint32_t target;
    uint32_t source;
    uint32_t len;
};

/* How much the decoder keeps in mind. */
enum {
    OTA_DELTA_MAP_MAX = 96,     /* segments of the map */
    OTA_DELTA_LEARNED_MAX = 20, /* mispredicted places and variables */
    OTA_DELTA_RECENT_PLACES = 12,
    OTA_DELTA_RECENT_DISTANCES = 4,
    OTA_DELTA_RECENT_SHIFTS = 4,
    OTA_DELTA_SUBSTITUTIONS = 16,
    OTA_DELTA_KEYS = 32,                            /* kinds of instructions */
    OTA_DELTA_HIT_SETS = 16,                        /* of weights: one for each class */
    OTA_DELTA_WEIGHT_SETS = OTA_DELTA_HIT_SETS + 8, /* those of bytes behind them */
    OTA_DELTA_MIX_INPUTS = 4,
    OTA_DELTA_COUNTERS_SMALL = 973,  /* of 16 bits, profile 1 */
    OTA_DELTA_COUNTERS_LARGE = 4813, /* profile 2 */
    OTA_DELTA_SAVED_MAX = 12032,     /* bytes of a checkpoint */
};

struct ota_delta_learned {
    uint32_t place;
    uint32_t distance;
};

struct ota_delta_memory {
    uint8_t len;
    uint8_t oldest; /* the next one to be forgotten, when all are taken */
    struct ota_delta_learned learned[OTA_DELTA_LEARNED_MAX];
};

struct ota_delta_substitution {
    uint16_t from;
    uint16_t to; /* 0: none */
};

struct ota_delta_input {
    uint8_t pos;
    uint8_t len;
    uint8_t zeros; /* taken from behind the patch's end; above OTA_DELTA_ZEROS_MAX: more than there may be */
    uint8_t bytes[OTA_DELTA_LOOKAHEAD_SIZE];
};

struct ota_delta_range {
    uint32_t size; /* of the interval */
    uint32_t code; /* where in it the patch is: of one that is whole, below the size */
};

/* What a copy will probably make of the next two or four bytes of its source: docs/spec/patch.md section 8. */
struct ota_delta_prediction {
    uint8_t class;      /* enum ota_delta_class */
    uint8_t thumb;      /* enum ota_thumb_class */
    uint8_t len;        /* 2 or 4 */
    uint8_t confidence; /* enum ota_delta_confidence */
    uint32_t raw;       /* the source's bytes, the first in the lowest byte */
    uint32_t bytes;     /* what is predicted */
    uint32_t named;     /* the place that the source names */
    uint32_t
        origin; /* what its offset counts from: its own place; of a word that holds an address, 0 less the load base */
};

/* What a checkpoint holds, besides the counters. Integers only; fields are the decoder's own. Small and frequent ones
 * come first: there the processor's short instructions reach them. */
struct ota_delta_kept {
    struct ota_delta_prediction prediction; /* of the unit in progress */
    uint8_t state;                          /* enum ota_delta_state */
    uint8_t half;                           /* enum ota_delta_half of the halfword written last */
    uint8_t hit_history;                    /* bit 0: whether the last unit of a copy was not as predicted */
    uint8_t chunk;        /* of the copy in progress: bit 0 it is as predicted, above it how the last ones were */
    uint8_t next_segment; /* whose copy is next */
    uint8_t map_len;      /* segments read */
    uint8_t map_count;    /* segments announced */
    uint8_t last_op;      /* enum ota_delta_op */
    uint8_t view_is_base; /* of the source bytes looked at */
    uint8_t view_before;  /* how many bytes before the first one are at hand */
    uint8_t view_behind;  /* and from it on; at least 1 */
    uint8_t waiting_len;  /* bytes made that are no whole word yet: not written */
    uint8_t waiting[3];
    uint16_t last; /* halfword written last */
    uint16_t before_last;

    uint32_t position;   /* in the target's body */
    uint32_t source;     /* of the copy in progress: place in the history */
    uint32_t view_place; /* position of the source bytes in their own body */
    uint32_t copy_start;
    uint32_t copy_end;
    uint32_t chunk_end;
    uint32_t literal_len; /* bytes since the last copy */
    uint32_t hit_run;
    uint32_t next_pointer; /* first known pointer at `position` or behind it; UINT32_MAX: none */
    int32_t status;        /* the first failure; it stays */
    uint32_t base_body_len;
    uint32_t target_body_len;
    struct ota_delta_header header;
    struct ota_delta_segment pending; /* of the map, or a copy: its source comes next in the stream */
    struct ota_delta_range range;
    uint32_t shifts[OTA_DELTA_RECENT_SHIFTS];
    uint32_t map_end;
    uint32_t checkpoint_due;
    uint32_t patch_off;
    uint32_t layout; /* marks these bytes as a state of this decoder */

    struct ota_delta_input input;
    uint32_t recent_places[OTA_DELTA_RECENT_PLACES];
    uint32_t recent_distances[OTA_DELTA_RECENT_DISTANCES];
    uint8_t key_history[OTA_DELTA_KEYS];
    int8_t key_difference[OTA_DELTA_KEYS];
    struct ota_delta_substitution substitutions[OTA_DELTA_SUBSTITUTIONS];
    struct ota_delta_memory places;
    struct ota_delta_memory variables;
    int16_t weights[OTA_DELTA_WEIGHT_SETS][OTA_DELTA_MIX_INPUTS];
    uint32_t map[OTA_DELTA_MAP_MAX][2]; /* packed: delta_map.c */
};

/* The relocation table as it grows. Nothing is kept of it: there is no checkpoint before it is written. */
struct ota_delta_table {
    uint32_t block_count;
    uint32_t head_len;  /* of count and list offsets, as whole words */
    uint32_t len;       /* bytes made */
    uint32_t written;   /* of these, those behind the head that write_target has */
    uint32_t block;     /* the first block whose list is not open */
    uint32_t list_from; /* the gap of the next word counts from here */
    uint32_t next;      /* words below it are done */
    uint32_t from;      /* prediction: relocated words of the base from here on */
    uint32_t distance;
    uint32_t region_end;
    uint32_t segment;
    uint32_t run; /* predicted words still to come, or OTA_DELTA_RUN_ALL */
    bool has_run;
    bool has_gap; /* a word was not predicted */
    bool is_in_segment;
    bool is_done;
};

struct ota_delta_port;

/* The decoder. `out` apart, it takes less than 4 KiB together with OTA_DELTA_COUNTERS_SMALL counters. */
struct ota_delta {
    struct ota_delta_kept kept;
    const struct ota_delta_port *port;
    uint16_t *counters;
    uint32_t counters_len;
    uint8_t ended; /* 1: no more patch bytes will come */
    bool is_resumed;
    bool window_is_base;
    uint32_t window_first; /* window[0] is at this position */
    uint32_t window_len;
    struct ota_delta_base base;
    union {
        uint8_t identity[16]; /* of the target, once it is complete */
        struct ota_delta_table table;
        uint8_t window[OTA_DELTA_WINDOW_SIZE]; /* source bytes */
    };
    struct ota_reloc reloc;
    uint32_t out_len;
    uint8_t out[OTA_DELTA_OUT_SIZE]; /* made, not written */
};

/* What the decoder reads and writes. All offsets are into canonical images. Any status but OTA_OK stops the decoder. */
struct ota_delta_port {
    void *ctx;

    /* The header has been read and holds. Called once, before any other function and never after a resume: the place
     * to compare size and identity with what was announced and to refuse. */
    enum ota_status (*begin)(void *ctx, const struct ota_delta_header *header);

    /* Copies base bytes; [off, off + len) lies inside the base. */
    enum ota_status (*read_base)(void *ctx, uint32_t off, void *out, uint32_t len);

    /* Copies target bytes that were written before, as write_target was given them. */
    enum ota_status (*read_target)(void *ctx, uint32_t off, void *out, uint32_t len);

    /* Writes target bytes: of an image first the lists of its relocation table, rising, then the table's head; then
     * everything else, rising without holes. Of an image off and len are multiples of 4. After a resume, bytes that
     * were written before are written again, the same. */
    enum ota_status (*write_target)(void *ctx, uint32_t off, const void *bytes, uint32_t len);

    /* Called about every OTA_DELTA_CHECKPOINT_LEN bytes of output, when all output so far has been written: the state
     * may be saved now (ota_delta_save) and decoding resumed from it later. `patch_off` is the number of patch bytes
     * that the decoder has taken: push from there after a resume. */
    enum ota_status (*checkpoint)(void *ctx, const struct ota_delta *delta, uint32_t patch_off);
};

/* `counters`: memory for OTA_DELTA_COUNTERS_SMALL or _LARGE counters; the number says which profiles this decoder has.
 * `base`: what is there to patch; its length is 0 when there is nothing. */
void ota_delta_init(struct ota_delta *delta, uint16_t *counters, uint32_t counters_len,
                    const struct ota_delta_base *base);

/* Takes in the next `len` bytes of the patch and writes what they make. A failure stays: every later call returns
 * it. */
OTA_MUST_CHECK enum ota_status ota_delta_push(struct ota_delta *delta, const struct ota_delta_port *port,
                                              const uint8_t *bytes, uint32_t len);

/* No more bytes will come: writes the rest. OTA_OK means that the whole target has been written, that the patch ended
 * where it should, and that the target's check is the header's (of an image: its body has the manifest's hash).
 * delta->identity then begins the target's identity. Signatures are still to be checked. */
OTA_MUST_CHECK enum ota_status ota_delta_finish(struct ota_delta *delta, const struct ota_delta_port *port);

/* Whether ota_delta_finish() has succeeded. */
bool ota_delta_is_done(const struct ota_delta *delta);

/* The state as bytes: at most OTA_DELTA_SAVED_MAX. */
uint32_t ota_delta_saved_len(const struct ota_delta *delta);
void ota_delta_save(const struct ota_delta *delta, uint8_t *out);

/* Goes on from saved bytes, after ota_delta_init(); `patch_off` receives the offset in the patch to push from. The
 * caller has compared patch and base with those of the checkpoint. OTA_ERR_STATE: these bytes are no checkpoint of this
 * decoder. */
OTA_MUST_CHECK enum ota_status ota_delta_resume(struct ota_delta *delta, const uint8_t *saved, uint32_t len,
                                                uint32_t *patch_off);

/* Reads a header and compares it with the base at hand. OTA_ERR_PATCH_TRUNCATED: the bytes end inside it.
 * Any profile number is accepted here; the decoder refuses those that it has no memory for. */
OTA_MUST_CHECK enum ota_status ota_delta_header_parse(const uint8_t *untrusted, uint32_t len,
                                                      const struct ota_delta_base *base, struct ota_delta_header *out,
                                                      uint32_t *header_len);

#endif
