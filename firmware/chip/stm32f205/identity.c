/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/identity.h"

#include <string.h>

#include "chip/registers.h"

void chip_unique_id(uint8_t out[12]) {
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t word = CHIP_REG(UNIQUE_ID_ADDR + 4u * i);
        memcpy(out + 4u * i, &word, 4);
    }
}
