/* SPDX-License-Identifier: Apache-2.0 */
#include "chip/watchdog.h"

#include "chip/registers.h"

enum {
    PRESCALER_256 = 6,
    TICKS_PER_S = 125,     /* 32 kHz / 256 */
    UPDATE_LOOPS = 100000, /* an update takes five LSI cycles */
};

void chip_watchdog_start(uint32_t seconds) {
    IWDG_KR = IWDG_KEY_START;
    IWDG_KR = IWDG_KEY_WRITE;
    IWDG_PR = PRESCALER_256;
    IWDG_RLR = seconds * TICKS_PER_S;
    for (uint32_t i = 0; i < UPDATE_LOOPS && IWDG_SR != 0; i++) {
    }
    IWDG_KR = IWDG_KEY_FEED;
}

void chip_watchdog_feed(void) { IWDG_KR = IWDG_KEY_FEED; }
