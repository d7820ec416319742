/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_THUMB_H
#define OTA_DELTA_THUMB_H

#include <stdbool.h>
#include <stdint.h>

/* Thumb-2 instructions that name a place relative to their own: ARM DDI 0403E (ARMv7-M), A7.7. A unit is one halfword,
 * or two with the first one in the low half. Offsets count from the unit's own first byte to the place named, both of
 * them in bytes from the image's first byte; they may be outside the image. */
enum ota_thumb_class {
    OTA_THUMB_NONE = 0, /* no such instruction: what such a word names is its value plus `at` */
    /* two halfwords */
    OTA_THUMB_BL = 1,
    OTA_THUMB_B_WIDE = 2,    /* B.W, encoding T4 */
    OTA_THUMB_LOAD_WIDE = 3, /* LDR, LDRH, LDRB (literal), 12 bits */
    /* one halfword */
    OTA_THUMB_B_COND = 4, /* B<c>, encoding T1 */
    OTA_THUMB_B = 5,      /* B, encoding T2 */
    OTA_THUMB_CBZ = 6,    /* CBZ, CBNZ */
    OTA_THUMB_LOAD = 7,   /* LDR (literal), encoding T1 */
    OTA_THUMB_ADR = 8,    /* ADR, encoding T1 */
};

/* A BL to the instruction behind it. */
enum { OTA_THUMB_BL_UNIT = 0xF800F000 };

/* Class of a unit of two halfwords: BL to LOAD_WIDE, or NONE. */
static inline enum ota_thumb_class ota_thumb_class_wide(uint32_t unit) {
    uint32_t both = unit & 0xD000F800; /* the second halfword is the upper one */
    if (both == 0xD000F000) return OTA_THUMB_BL;
    if (both == 0x9000F000) return OTA_THUMB_B_WIDE;
    return (unit & 0xFF1F) == 0xF81F && (unit & 0x60) != 0x60 ? OTA_THUMB_LOAD_WIDE : OTA_THUMB_NONE;
}

extern const uint8_t ota_thumb_classes[256]; /* of one halfword, by its high byte */

/* Class of one halfword: B_COND to ADR, or NONE. */
static inline enum ota_thumb_class ota_thumb_class_narrow(uint32_t halfword) {
    return (enum ota_thumb_class)ota_thumb_classes[halfword >> 8];
}

/* The place that a unit of this class, at offset `at`, names. */
uint32_t ota_thumb_target(enum ota_thumb_class class, uint32_t unit, uint32_t at);

/* The same instruction at `at`, naming `target`; or `unit`, when it cannot reach it. */
uint32_t ota_thumb_naming(enum ota_thumb_class class, uint32_t unit, uint32_t at, uint32_t target);

/* The same, in place. False: it cannot reach it; `unit` stays. */
static inline bool ota_thumb_retarget(enum ota_thumb_class class, uint32_t *unit, uint32_t at, uint32_t target) {
    *unit = ota_thumb_naming(class, *unit, at, target);
    return class != OTA_THUMB_NONE && ota_thumb_target(class, *unit, at) == target;
}

#endif
