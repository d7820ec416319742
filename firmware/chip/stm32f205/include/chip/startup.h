/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHIP_STARTUP_H
#define CHIP_STARTUP_H

#include <stdint.h>

/* What the startup code calls once memory is set up. It must not return. */
_Noreturn void chip_main(void);

/* Where this code's vector table lies: the slot it was linked for or relocated to. */
uint32_t chip_image_addr(void);

#endif
