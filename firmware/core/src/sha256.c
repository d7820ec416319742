/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/sha256.h"

#include <string.h>

#include "ota/bytes.h"

/* FIPS 180-4 section 4.2.2: fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
};

/* FIPS 180-4 section 5.3.3: fractions of the square roots of the first 8 primes. */
static const uint32_t initial_state[8] = {
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
};

static uint32_t rotr(uint32_t x, uint32_t n) { return x >> n | x << (32 - n); }

/* FIPS 180-4 section 6.2.2. The whole schedule comes first: both loops then keep their values in registers. */
static void compress(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (uint32_t t = 0; t < 16; t++) w[t] = ota_load32_be(block + 4 * t);
    for (uint32_t t = 16; t < 64; t++) {
        uint32_t w2 = w[t - 2], w15 = w[t - 15];
        w[t] =
            w[t - 16] + w[t - 7] + (rotr(w15, 7) ^ rotr(w15, 18) ^ w15 >> 3) + (rotr(w2, 17) ^ rotr(w2, 19) ^ w2 >> 10);
    }
    for (uint32_t t = 0; t < 64; t++) {
        uint32_t t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g))) + round_constant[t] + w[t];
        uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void ota_sha256_init(struct ota_sha256 *sha) {
    memcpy(sha->state, initial_state, sizeof sha->state);
    sha->len = 0;
}

void ota_sha256_update(struct ota_sha256 *sha, const void *bytes, uint32_t len) {
    const uint8_t *p = bytes;
    while (len > 0) {
        uint32_t fill = sha->len & 63;
        uint32_t take = ota_min_u32(len, 64 - fill);
        if (take == 64) {
            compress(sha->state, p);
        } else {
            memcpy(sha->block + fill, p, take);
            if (fill + take == 64) compress(sha->state, sha->block);
        }
        sha->len += take;
        p += take;
        len -= take;
    }
}

void ota_sha256_final(struct ota_sha256 *sha, uint8_t digest[OTA_SHA256_LEN]) {
    uint32_t fill = sha->len & 63;
    sha->block[fill++] = 0x80;
    if (fill > 56) {
        memset(sha->block + fill, 0, 64 - fill);
        compress(sha->state, sha->block);
        fill = 0;
    }
    memset(sha->block + fill, 0, 56 - fill);
    ota_store32_be(sha->block + 56, sha->len >> 29);
    ota_store32_be(sha->block + 60, sha->len << 3);
    compress(sha->state, sha->block);
    for (uint32_t i = 0; i < 8; i++) ota_store32_be(digest + 4 * i, sha->state[i]);
}

void ota_sha256_digest(const void *bytes, uint32_t len, uint8_t digest[OTA_SHA256_LEN]) {
    struct ota_sha256 sha;
    ota_sha256_init(&sha);
    ota_sha256_update(&sha, bytes, len);
    ota_sha256_final(&sha, digest);
}
