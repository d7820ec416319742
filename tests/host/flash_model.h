/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLASH_MODEL_H
#define FLASH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/flash.h"

/* The chip's flash: real sectors, bits that only go from 1 to 0, and power that stops at a chosen operation.
 * One operation is one word programmed or one sector erased. */
struct flash_model {
    uint32_t operations; /* begun since the model was made or `operations` set to 0 */
    uint32_t cut_at;     /* power stops at the operation with this number, from 0 */
    bool is_torn;        /* the cut operation happens in part; else not at all */
    bool is_off;         /* power has stopped: nothing works, nothing changes, until the test sets it false */
    uint32_t noise;      /* state of the generator that decides which bits a cut operation changes; not 0 */
    uint32_t fail_at;    /* this operation fails with a status and without a cut; UINT32_MAX: none */
    uint32_t reads;      /* bytes read */
    uint32_t erases[12];
    uint8_t bytes[0x100000];
};

enum { FLASH_MODEL_NEVER = 0x7FFFFFFF };

/* Blank flash, power on, no cut. */
void flash_model_init(struct flash_model *model);

/* The port to this model. */
void flash_model_port(struct flash_model *model, struct ota_flash *flash);

#endif
