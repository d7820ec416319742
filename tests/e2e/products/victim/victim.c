/* SPDX-License-Identifier: Apache-2.0 */
#include "victim.h"

#include <string.h>

#include "agent/agent.h"

enum { DELAY_MS = 50 }; /* what was said before the failure still leaves the UART */
#define SCB_AIRCR (*(volatile uint32_t *)0xE000ED0Cu)

static enum victim_failure failure;
static uint32_t since_ms;

static void begin(enum victim_failure wanted) {
    failure = wanted;
    since_ms = agent_time_ms();
}

/* Lets the outside choose a failure by name; the result says whether there is one of that name. */
static int32_t fail(const char *argument) {
    static const char *const names[] = {"sound", "hang", "undefined", "null", "memory", "restart"};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(argument, names[i]) != 0) continue;
        begin((enum victim_failure)i);
        return 0;
    }
    return -1;
}

void product_setup(void) {
    if (agent_function("fail", fail) != OTA_OK) agent_log(AGENT_ERROR, "no room for the function");
    begin(victim_begins_with);
}

void product_loop(void) {
    if (failure == VICTIM_SOUND || agent_time_ms() - since_ms < DELAY_MS) return;
    switch (failure) {
    case VICTIM_SOUND:
        break;
    case VICTIM_HANG:
        for (;;) __asm volatile("wfi");
    case VICTIM_UNDEFINED:
        __asm volatile("udf #1");
        break;
    case VICTIM_NULL_CALL:
        __asm volatile("blx %0" ::"r"(0) : "lr", "memory");
        break;
    case VICTIM_NO_MEMORY:
        (void)*(volatile uint32_t *)0x30000000u;
        break;
    case VICTIM_RESTART:
        SCB_AIRCR = 0x05FA0004u;
        break;
    }
}
