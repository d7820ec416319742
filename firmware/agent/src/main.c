/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "chip/cpu.h"
#include "chip/startup.h"

_Noreturn void chip_main(void) {
    agent_init();
    product_setup();
    for (;;) {
        product_loop();
        agent_poll();
        chip_idle(); /* the tick ends it after a millisecond at most */
    }
}
