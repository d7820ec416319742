/* SPDX-License-Identifier: Apache-2.0 */
#include "victim.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"

enum {
    DELAY_MS = 50,   /* what was said before the failure still leaves the UART */
    LATER_MS = 3000, /* long enough for a check-in to be held meanwhile */
};
#define SCB_AIRCR (*(volatile uint32_t *)0xE000ED0Cu)

static enum victim_failure failure;
static uint32_t since_ms;

static int32_t said; /* how often */
static double half;
static char last_said[32];
static bool is_loud;
static bool has_later;
static uint32_t put_off_s;
static uint32_t later_since_ms;

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

/* Publishes what it is told, which the variables then tell of. */
static int32_t say(const char *argument) {
    said++;
    half = said / 2.0;
    is_loud = strchr(argument, '!') != NULL;
    strncpy(last_said, argument, sizeof last_said - 1);
    return agent_publish("said", argument);
}

static int32_t say_later(const char *argument) {
    (void)argument;
    has_later = true;
    later_since_ms = agent_time_ms();
    return 0;
}

/* The next update is put off for so many seconds, once. */
static int32_t put_off(const char *argument) {
    put_off_s = (uint32_t)atoi(argument);
    return 0;
}

static uint32_t postpone(uint32_t most_s) {
    (void)most_s;
    uint32_t wanted_s = put_off_s;
    put_off_s = 0;
    return wanted_s;
}

static void say_what_is_late(void) {
    if (!has_later || agent_time_ms() - later_since_ms < LATER_MS) return;
    has_later = false;
    (void)say("later");
}

static enum ota_status add_all(void) {
    TRY(agent_function("fail", fail));
    TRY(agent_function("say", say));
    TRY(agent_function("say_later", say_later));
    TRY(agent_function("put_off", put_off));
    TRY(agent_variable_int("said", &said));
    TRY(agent_variable_double("half", &half));
    TRY(agent_variable_text("last", last_said));
    return agent_variable_bool("loud", &is_loud);
}

void product_setup(void) {
    if (add_all() != OTA_OK) agent_log(AGENT_ERROR, "no room for functions and variables");
    agent_on_update(postpone);
    begin(victim_begins_with);
}

void product_loop(void) {
    say_what_is_late();
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
