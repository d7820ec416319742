/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_RNG_H
#define CHIP_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "ota/status.h"

/* Fills `out` from the chip's generator of true random numbers (needs the PLL). OTA_ERR_TIMEOUT when it stands still or
 * fails its own test (RM0033 section 20.3.2): what is in `out` is then not random and must not be used. */
OTA_MUST_CHECK enum ota_status chip_rng_fill(uint8_t *out, size_t len);

#endif
