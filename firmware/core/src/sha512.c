/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/sha512.h"

#include <string.h>

#include "ota/bytes.h"

/* FIPS 180-4 section 4.2.3: fractions of the cube roots of the first 80 primes. */
static const uint64_t round_constant[80] = {
    0x428A2F98D728AE22, 0x7137449123EF65CD, 0xB5C0FBCFEC4D3B2F, 0xE9B5DBA58189DBBC, 0x3956C25BF348B538,
    0x59F111F1B605D019, 0x923F82A4AF194F9B, 0xAB1C5ED5DA6D8118, 0xD807AA98A3030242, 0x12835B0145706FBE,
    0x243185BE4EE4B28C, 0x550C7DC3D5FFB4E2, 0x72BE5D74F27B896F, 0x80DEB1FE3B1696B1, 0x9BDC06A725C71235,
    0xC19BF174CF692694, 0xE49B69C19EF14AD2, 0xEFBE4786384F25E3, 0x0FC19DC68B8CD5B5, 0x240CA1CC77AC9C65,
    0x2DE92C6F592B0275, 0x4A7484AA6EA6E483, 0x5CB0A9DCBD41FBD4, 0x76F988DA831153B5, 0x983E5152EE66DFAB,
    0xA831C66D2DB43210, 0xB00327C898FB213F, 0xBF597FC7BEEF0EE4, 0xC6E00BF33DA88FC2, 0xD5A79147930AA725,
    0x06CA6351E003826F, 0x142929670A0E6E70, 0x27B70A8546D22FFC, 0x2E1B21385C26C926, 0x4D2C6DFC5AC42AED,
    0x53380D139D95B3DF, 0x650A73548BAF63DE, 0x766A0ABB3C77B2A8, 0x81C2C92E47EDAEE6, 0x92722C851482353B,
    0xA2BFE8A14CF10364, 0xA81A664BBC423001, 0xC24B8B70D0F89791, 0xC76C51A30654BE30, 0xD192E819D6EF5218,
    0xD69906245565A910, 0xF40E35855771202A, 0x106AA07032BBD1B8, 0x19A4C116B8D2D0C8, 0x1E376C085141AB53,
    0x2748774CDF8EEB99, 0x34B0BCB5E19B48A8, 0x391C0CB3C5C95A63, 0x4ED8AA4AE3418ACB, 0x5B9CCA4F7763E373,
    0x682E6FF3D6B2B8A3, 0x748F82EE5DEFB2FC, 0x78A5636F43172F60, 0x84C87814A1F0AB72, 0x8CC702081A6439EC,
    0x90BEFFFA23631E28, 0xA4506CEBDE82BDE9, 0xBEF9A3F7B2C67915, 0xC67178F2E372532B, 0xCA273ECEEA26619C,
    0xD186B8C721C0C207, 0xEADA7DD6CDE0EB1E, 0xF57D4F7FEE6ED178, 0x06F067AA72176FBA, 0x0A637DC5A2C898A6,
    0x113F9804BEF90DAE, 0x1B710B35131C471B, 0x28DB77F523047D84, 0x32CAAB7B40C72493, 0x3C9EBE0A15C9BEBC,
    0x431D67C49C100D4C, 0x4CC5D4BECB3E42B6, 0x597F299CFC657E2A, 0x5FCB6FAB3AD6FAEC, 0x6C44198C4A475817,
};

/* FIPS 180-4 section 5.3.5: fractions of the square roots of the first 8 primes. */
static const uint64_t initial_state[8] = {
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
};

static uint64_t rotr(uint64_t x, uint32_t n) { return x >> n | x << (64 - n); }

/* FIPS 180-4 section 6.4.2. State words are found by turning an index: a 64-bit move is two instructions. */
static void compress(uint64_t state[8], const uint8_t block[128]) {
    uint64_t w[16];
    uint64_t s[8];
    memcpy(s, state, sizeof s);
    for (uint32_t t = 0; t < 80; t++) {
        uint64_t word;
        if (t < 16) {
            word = ota_load64_be(block + 8 * t);
        } else {
            uint64_t w1 = w[(t + 1) & 15], w14 = w[(t + 14) & 15];
            word = w[t & 15] + w[(t + 9) & 15] + (rotr(w1, 1) ^ rotr(w1, 8) ^ w1 >> 7) +
                   (rotr(w14, 19) ^ rotr(w14, 61) ^ w14 >> 6);
        }
        w[t & 15] = word;
        uint32_t turn = 80 - t; /* a multiple of 8 at t = 0, so a is s[0] there and moves down by one each round */
        uint64_t a = s[turn & 7], b = s[(turn + 1) & 7], c = s[(turn + 2) & 7];
        uint64_t e = s[(turn + 4) & 7], f = s[(turn + 5) & 7], g = s[(turn + 6) & 7];
        uint64_t t1 = s[(turn + 7) & 7] + (rotr(e, 14) ^ rotr(e, 18) ^ rotr(e, 41)) + (g ^ (e & (f ^ g))) +
                      round_constant[t] + word;
        s[(turn + 3) & 7] += t1;
        s[(turn + 7) & 7] = t1 + (rotr(a, 28) ^ rotr(a, 34) ^ rotr(a, 39)) + ((a & b) | (c & (a | b)));
    }
    for (uint32_t i = 0; i < 8; i++) state[i] += s[i];
}

void ota_sha512_init(struct ota_sha512 *sha) {
    memcpy(sha->state, initial_state, sizeof sha->state);
    sha->len = 0;
}

void ota_sha512_update(struct ota_sha512 *sha, const void *bytes, uint32_t len) {
    const uint8_t *p = bytes;
    while (len > 0) {
        uint32_t fill = sha->len & 127;
        uint32_t take = ota_min_u32(len, 128 - fill);
        memcpy(sha->block + fill, p, take);
        if (fill + take == 128) compress(sha->state, sha->block);
        sha->len += take;
        p += take;
        len -= take;
    }
}

void ota_sha512_final(struct ota_sha512 *sha, uint8_t digest[OTA_SHA512_LEN]) {
    uint32_t fill = sha->len & 127;
    sha->block[fill++] = 0x80;
    if (fill > 112) {
        memset(sha->block + fill, 0, 128 - fill);
        compress(sha->state, sha->block);
        fill = 0;
    }
    memset(sha->block + fill, 0, 120 - fill);
    ota_store64_be(sha->block + 120, (uint64_t)sha->len << 3);
    compress(sha->state, sha->block);
    for (uint32_t i = 0; i < 8; i++) ota_store64_be(digest + 8 * i, sha->state[i]);
}
