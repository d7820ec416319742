/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

enum { HALF_PERIOD_MS = 500 };

static uint32_t turned_ms;
static bool is_on;

void product_setup(void) { turned_ms = agent_time_ms(); }

void product_loop(void) {
    if (agent_time_ms() - turned_ms < HALF_PERIOD_MS) return;
    turned_ms += HALF_PERIOD_MS;
    is_on = !is_on;
    agent_led(is_on);
}
