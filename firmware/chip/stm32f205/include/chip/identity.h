/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_IDENTITY_H
#define CHIP_IDENTITY_H

#include <stdint.h>

/* The chip's unique id, as its bytes lie in memory (RM0033 section 33.1). */
void chip_unique_id(uint8_t out[12]);

#endif
