/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_STACK_H
#define CHIP_STACK_H

#include <stdint.h>

/* Marks the stack below the caller, once at the start. */
void chip_stack_paint(void);

/* Bytes of the stack that nobody has used since: the marks that are left at its end. */
uint32_t chip_stack_free(void);

#endif
