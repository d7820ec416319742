/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

/* Muster drives none of the radio's pins: they stay the inputs that they are after a reset. */
void board_start(void) {}
