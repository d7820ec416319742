/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_SEGMENTS_H
#define MUSTER_DELTA_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/status.h"

/* Which parts of the target are copied, and from where. What no segment covers is literal. The choice decides how small
 * a patch gets, never whether it is right. */

/* One copy. `target` rises from segment to segment and segments never overlap; `target` and `len` are even. A base
 * source lies wholly in the base. A target source begins before its target and may run into it: each byte is written
 * before it is read. */
struct muster_segment {
    uint32_t target;
    uint32_t len;
    uint32_t source; /* offset into the base, or into the target */
    bool from_target;
    bool in_map; /* coded ahead of the others and used to predict references */
};

/* Costs are counted in 256ths of a bit. */
enum { MUSTER_BIT = 256 };

enum muster_reference {
    MUSTER_REFERENCE_NONE = 0,
    MUSTER_REFERENCE_CALL = 1,    /* BL, B.W and their conditional form */
    MUSTER_REFERENCE_POINTER = 2, /* a word that holds an address of the image */
    MUSTER_REFERENCE_NEAR = 3,    /* short branches, loads and addresses relative to the program counter */
    MUSTER_REFERENCE_KINDS = 4,
};

/* What the coder will probably pay. The functions read the coder's tables: equal arguments give equal costs. */
struct muster_costs {
    const void *tables; /* first argument of the functions */
    uint32_t (*literal_high)(const void *tables, uint8_t high_before, uint8_t high);
    uint32_t (*literal_low)(const void *tables, uint8_t high, uint8_t low);
    uint32_t (*miss_high)(const void *tables, uint8_t expected, uint8_t high);
    uint32_t (*miss_low)(const void *tables, uint8_t high, uint8_t expected, uint8_t low);

    uint32_t literal_begin;    /* to leave a copy for literals */
    uint32_t equal_halfword;   /* a copied halfword that is as expected */
    uint32_t miss;             /* of a halfword, besides its bytes */
    uint32_t miss_odd;         /* of a halfword in a copy by an odd distance */
    uint32_t miss_high_known;  /* high byte wrong: the low byte then costs this */
    uint32_t miss_repeated[3]; /* a substitution that happens 2, 3 or 4, or more times: at most this */

    uint32_t reference[MUSTER_REFERENCE_KINDS]; /* a halfword of a reference, while no map is known */
    uint32_t reference_hit;                     /* a whole reference that the map predicts */
    uint32_t reference_learned;                 /* one like others that it did not */
    uint32_t reference_recent;                  /* one shifted as another one lately */
    uint32_t reference_near;                    /* one to a place nearby that is not as expected */
    uint32_t reference_repeated;                /* one that was corrected in the same way before */
    uint32_t reference_unchanged;               /* one that stayed although it should have moved */
    uint32_t reference_miss;                    /* any other */
    uint32_t reference_bit;                     /* per bit of the distance between expected and real target */

    uint32_t shift_again;  /* to begin a copy: with the distance of the last one */
    uint32_t shift_recent; /* with one of the three before it */
    uint32_t shift_insert; /* that goes on where the last one ended */
    uint32_t shift_near;   /* at most 4 KiB from there, besides the distance's bits */
    uint32_t shift_bit;    /* per bit of that distance */
    uint32_t shift_far;    /* anywhere else */

    uint32_t first_copy; /* what a copy from offset 0 on costs at the very beginning */
};

/* Two tastes that suit patches between firmware images: neither is always the better one. */
enum muster_parse {
    MUSTER_PARSE_SHORT = 0, /* many copies */
    MUSTER_PARSE_LONG = 1,  /* fewer, longer ones */
};

/* Sets the numbers to values found by trial on the training pairs, and leaves the functions alone. */
void muster_costs_init(struct muster_costs *costs, enum muster_parse parse);

struct muster_alignment {
    const uint8_t *base;
    uint32_t base_len;
    const uint8_t *target;
    uint32_t target_len;
    uint32_t load_base; /* address of the first byte of both images */

    /* One byte per whole word: it holds an address of the image. NULL: words are judged by their value. */
    const uint8_t *base_is_pointer;
    const uint8_t *target_is_pointer;

    uint32_t map_max;     /* segments that may be `in_map` */
    uint32_t map_len_min; /* a shorter segment never is */
    const struct muster_costs *costs;
};

/* Longest image, base or target. */
enum { MUSTER_ALIGNMENT_LEN_MAX = 1 << 24 };

/* Finds the segments; the caller frees `*segments`. Equal inputs give equal segments.
 * OTA_ERR_BUFFER: memory is short, or an image is longer than MUSTER_ALIGNMENT_LEN_MAX; nothing is to be freed. */
OTA_MUST_CHECK enum ota_status muster_segments_find(const struct muster_alignment *alignment,
                                                    struct muster_segment **segments, uint32_t *count);

#endif
