/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_H
#define BOARD_H

/* What a platform needs beyond the data of platform_config: levels on pins that hold other chips of the board in a
 * quiet state. Called by the bootloader and by the agent, early, before the console starts. May be called twice. */
void board_start(void);

#endif
