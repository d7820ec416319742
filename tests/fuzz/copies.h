/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_COPIES_H
#define FUZZ_COPIES_H

/* Included in front of each of the decoder's sources: copies to and from arrays inside struct ota_delta stay in them.
 * The address sanitizer guards the whole struct only, and the other one indices only. */

#include <stddef.h>
#include <string.h>

/* Aborts when the bytes begin inside the decoder and leave the array there. */
void fuzz_copy_check(const void *bytes, size_t len);

static inline void *fuzz_memcpy(void *to, const void *from, size_t len) {
    fuzz_copy_check(to, len);
    fuzz_copy_check(from, len);
    return memcpy(to, from, len);
}

static inline void *fuzz_memmove(void *to, const void *from, size_t len) {
    fuzz_copy_check(to, len);
    fuzz_copy_check(from, len);
    return memmove(to, from, len);
}

static inline void *fuzz_memset(void *to, int byte, size_t len) {
    fuzz_copy_check(to, len);
    return memset(to, byte, len);
}

#define memcpy  fuzz_memcpy
#define memmove fuzz_memmove
#define memset  fuzz_memset

#endif
