/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_thumb.h"

enum {
    PC_AHEAD = 4, /* reading the program counter gives the instruction's address plus 4 */
    COND_ALWAYS = 14,
};

enum ota_thumb_class ota_thumb_class_narrow(uint32_t halfword) {
    uint32_t top = halfword >> 11;
    if (top == 0x09) return OTA_THUMB_LOAD;
    if (top == 0x14) return OTA_THUMB_ADR;
    if (top == 0x1C) return OTA_THUMB_B;
    if ((halfword & 0xF500) == 0xB100) return OTA_THUMB_CBZ;
    return halfword >> 12 == 0x0D && (halfword >> 8 & 15) < COND_ALWAYS ? OTA_THUMB_B_COND : OTA_THUMB_NONE;
}

/* The low `bits` of `value` as a signed number, modulo 2^32. */
static uint32_t sign_extended(uint32_t value, uint32_t bits) {
    return (uint32_t)((int32_t)(value << (32 - bits)) >> (32 - bits));
}

/* What offsets count from: loads and ADR take the program counter without its last two bits. */
static uint32_t pc_of(enum ota_thumb_class class, uint32_t at) {
    if (class == OTA_THUMB_NONE) return at;
    bool is_aligned = class == OTA_THUMB_LOAD_WIDE || class >= OTA_THUMB_LOAD;
    return is_aligned ? (at + PC_AHEAD) & ~3u : at + PC_AHEAD;
}

/* Offsets of one halfword are a field of so many low bits, in halfwords or words. */
static uint32_t field_bits(enum ota_thumb_class class) { return class == OTA_THUMB_B ? 11 : 8; }
static uint32_t field_shift(enum ota_thumb_class class) { return class >= OTA_THUMB_LOAD ? 2 : 1; }

/* The two bits below a long branch's sign are stored inverted where the sign is 0. */
static uint32_t with_sign(uint32_t offset) { return (offset >> 24 & 1) != 0 ? offset : offset ^ 3u << 22; }

static uint32_t offset_of(enum ota_thumb_class class, uint32_t unit) {
    uint32_t second = unit >> 16;
    if (class == OTA_THUMB_NONE) return unit;
    if (class <= OTA_THUMB_B_WIDE) {
        uint32_t bits =
            (second & 0x7FF) << 1 | (unit & 0x3FF) << 12 | (second >> 11 & 1) << 22 | (second >> 13 & 1) << 23;
        return sign_extended(with_sign(bits | (unit >> 10 & 1) << 24), 25);
    }
    if (class == OTA_THUMB_LOAD_WIDE) { /* adds or subtracts */
        uint32_t magnitude = second & 0xFFF;
        return (unit & 0x80) != 0 ? magnitude : 0 - magnitude;
    }
    if (class == OTA_THUMB_CBZ) return (unit >> 9 & 1) << 6 | (unit >> 3 & 31) << 1;
    uint32_t field = sign_extended(unit, field_bits(class));
    return class >= OTA_THUMB_LOAD ? (field & 0xFF) << 2 : field << 1;
}

uint32_t ota_thumb_target(enum ota_thumb_class class, uint32_t unit, uint32_t at) {
    return pc_of(class, at) + offset_of(class, unit);
}

/* The unit with the offset's bits in their places, whether they fit or not. */
static uint32_t with_offset(enum ota_thumb_class class, uint32_t unit, uint32_t offset) {
    uint32_t halfwords = offset >> 1;
    if (class == OTA_THUMB_NONE) return offset;
    if (class <= OTA_THUMB_B_WIDE) {
        uint32_t bits = with_sign(offset);
        uint32_t second = (unit >> 16 & 0xD000) | (bits >> 23 & 1) << 13 | (bits >> 22 & 1) << 11 | (bits >> 1 & 0x7FF);
        return (unit & 0xF800) | (bits >> 24 & 1) << 10 | (bits >> 12 & 0x3FF) | second << 16;
    }
    if (class == OTA_THUMB_LOAD_WIDE) {
        bool adds = offset < 0x80000000;
        uint32_t magnitude = adds ? offset : 0 - offset;
        return (unit & ~0x0FFF0080u) | (magnitude & 0xFFF) << 16 | (adds ? 0x80 : 0);
    }
    if (class == OTA_THUMB_CBZ) return (unit & 0xFD07) | (halfwords & 32) << 4 | (halfwords & 31) << 3;
    uint32_t mask = (1u << field_bits(class)) - 1;
    return (unit & ~mask) | (offset >> field_shift(class) & mask);
}

uint32_t ota_thumb_naming(enum ota_thumb_class class, uint32_t unit, uint32_t at, uint32_t target) {
    uint32_t made = with_offset(class, unit, target - pc_of(class, at));
    return ota_thumb_target(class, made, at) == target ? made : unit;
}
