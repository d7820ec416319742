/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/rng.h"

#include <string.h>

#include "chip/registers.h"

enum { READY_LOOPS = 10000 }; /* a word takes 40 cycles of 48 MHz */

/* A word that equals the one before it is refused, as FIPS 140-2 asks (RM0033 section 20.3.1). */
static enum ota_status next_word(uint32_t *word) {
    uint32_t before = *word;
    for (uint32_t i = 0; i < READY_LOOPS; i++) {
        uint32_t status = RNG_SR;
        if ((status & (RNG_SR_CECS | RNG_SR_SECS)) != 0) return OTA_ERR_TIMEOUT;
        if ((status & RNG_SR_DRDY) == 0) continue;
        *word = RNG_DR;
        return *word != before ? OTA_OK : OTA_ERR_TIMEOUT;
    }
    return OTA_ERR_TIMEOUT;
}

enum ota_status chip_rng_fill(uint8_t *out, size_t len) {
    RCC_AHB2ENR |= RCC_AHB2ENR_RNG;
    (void)RCC_AHB2ENR;
    RNG_CR = RNG_CR_RNGEN;
    uint32_t word = 0;
    TRY(next_word(&word)); /* the first one only serves the comparison */
    for (size_t done = 0; done < len;) {
        TRY(next_word(&word));
        size_t count = len - done < 4 ? len - done : 4;
        memcpy(out + done, &word, count);
        done += count;
    }
    return OTA_OK;
}
