/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_thumb.h"

enum { FIELDS_MAX = 5 };

/* Bits of an offset in a unit. */
struct field {
    uint16_t mask; /* how many, from bit 0 up */
    uint8_t in_unit;
    uint8_t in_offset; /* where the lowest of them is */
};

struct format {
    struct field fields[FIELDS_MAX + 1]; /* a mask of 0 is behind the last one */
    uint8_t unused;                      /* bits above the offset's sign; 0: it has none */
    uint8_t pc_ahead;                    /* reading the program counter gives the instruction's address plus 4 */
    uint8_t pc_clear;                    /* bits of the program counter that loads and ADR take as 0 */
};

#define LONG_BRANCH {{{0x7FF, 16, 1}, {0x3FF, 0, 12}, {1, 27, 22}, {1, 29, 23}, {1, 10, 24}}, 7, 4, 0}
#define LOAD        {{{0xFF, 0, 2}}, 0, 4, 3}

static const struct format formats[] = {
    [OTA_THUMB_NONE] = {{{0xFFFF, 0, 0}, {0xFFFF, 16, 16}}, 0, 0, 0},
    [OTA_THUMB_BL] = LONG_BRANCH,
    [OTA_THUMB_B_WIDE] = LONG_BRANCH,
    [OTA_THUMB_LOAD_WIDE] = {{{0xFFF, 16, 0}, {1, 7, 12}}, 0, 4, 3}, /* bit 12: LOAD_ADDS */
    [OTA_THUMB_B_COND] = {{{0xFF, 0, 1}}, 23, 4, 0},
    [OTA_THUMB_B] = {{{0x7FF, 0, 1}}, 20, 4, 0},
    [OTA_THUMB_CBZ] = {{{0x1F, 3, 1}, {1, 9, 6}}, 0, 4, 0},
    [OTA_THUMB_LOAD] = LOAD,
    [OTA_THUMB_ADR] = LOAD,
};

enum { LOAD_ADDS = 1 << 12 };

#define TWICE(class) class, class
#define EIGHT(class) TWICE(class), TWICE(class), TWICE(class), TWICE(class)

/* B<c> has no condition 14 and 15. */
const uint8_t ota_thumb_classes[256] = {
    [0x48] = EIGHT(OTA_THUMB_LOAD),   [0xA0] = EIGHT(OTA_THUMB_ADR),    [0xB1] = OTA_THUMB_CBZ,
    [0xB3] = OTA_THUMB_CBZ,           [0xB9] = OTA_THUMB_CBZ,           [0xBB] = OTA_THUMB_CBZ,
    [0xD0] = EIGHT(OTA_THUMB_B_COND), [0xD8] = TWICE(OTA_THUMB_B_COND), TWICE(OTA_THUMB_B_COND),
    TWICE(OTA_THUMB_B_COND),          [0xE0] = EIGHT(OTA_THUMB_B),
};

static uint32_t pc_of(const struct format *format, uint32_t at) {
    return (at + format->pc_ahead) & ~(uint32_t)format->pc_clear;
}

/* The two bits below a long branch's sign are stored inverted where the sign is 0. */
static uint32_t with_sign(enum ota_thumb_class class, uint32_t offset) {
    bool is_branch = class == OTA_THUMB_BL || class == OTA_THUMB_B_WIDE;
    return is_branch && (offset >> 24 & 1) == 0 ? offset ^ 3u << 22 : offset;
}

uint32_t ota_thumb_target(enum ota_thumb_class class, uint32_t unit, uint32_t at) {
    const struct format *format = &formats[class];
    uint32_t offset = 0, unused = format->unused;
    for (const struct field *field = format->fields; field->mask != 0; field++) {
        offset |= (unit >> field->in_unit & field->mask) << field->in_offset;
    }
    offset = with_sign(class, offset);
    if (class == OTA_THUMB_LOAD_WIDE) offset = (offset & LOAD_ADDS) != 0 ? offset ^ LOAD_ADDS : 0 - offset;
    return pc_of(format, at) + (uint32_t)((int32_t)(offset << unused) >> unused);
}

uint32_t ota_thumb_naming(enum ota_thumb_class class, uint32_t unit, uint32_t at, uint32_t target) {
    const struct format *format = &formats[class];
    uint32_t made = unit, offset = with_sign(class, target - pc_of(format, at));
    if (class == OTA_THUMB_LOAD_WIDE) offset = offset < 0x80000000 ? offset | LOAD_ADDS : 0 - offset;
    for (const struct field *field = format->fields; field->mask != 0; field++) {
        uint32_t mask = (uint32_t)field->mask << field->in_unit;
        made = (made & ~mask) | (offset >> field->in_offset << field->in_unit & mask);
    }
    return ota_thumb_target(class, made, at) == target ? made : unit; /* the offset may not fit */
}
