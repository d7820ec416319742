/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_LOG_H
#define MUSTER_DELTA_LOG_H

#include <stdint.h>

/* The binary logarithm of 1 to 2^32, in `unit`ths (a power of two), digit by digit: integers only, so that every
 * machine finds the same. A larger value never has a smaller logarithm. */
static inline uint64_t muster_log2(uint64_t value, uint32_t unit) {
    uint64_t whole = 31, log = 0;
    if (value > UINT32_MAX) return 32ull * unit;
    while (value < 0x80000000) {
        value <<= 1;
        whole--;
    }
    for (uint32_t digit = unit / 2; digit > 0; digit /= 2) {
        value = value * value >> 31; /* 2^31 stands for 1 */
        if (value > UINT32_MAX) {
            log += digit;
            value >>= 1;
        }
    }
    return whole * unit + log;
}

#endif
