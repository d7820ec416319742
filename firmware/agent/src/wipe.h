/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_WIPE_H
#define AGENT_WIPE_H

#include <stddef.h>
#include <stdint.h>

/* Clears a secret; not left out by the compiler although nobody reads it again. */
static inline void wipe(void *secret, size_t len) {
    volatile uint8_t *byte = secret;
    for (size_t i = 0; i < len; i++) byte[i] = 0;
}

#endif
