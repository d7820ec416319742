/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "away.h"
#include "controller.h"
#include "number.h"
#include "room.h"
#include "schedule.h"
#include "sensor.h"
#include "settings.h"

enum {
    CONTROL_MS = 1000,
    REPORT_MS = 10000,
    POSTPONE_S = 600,
    MINUTE_MS = 60000,
    DAY_MINUTES = 24 * 60,
    FIRST_AIR_MC = 18500,
    REFUSED = -1,
};

static struct {
    struct settings settings;
    struct away away;
    struct room room;
    struct sensor sensor;
    struct controller controller;
    int32_t air_cc;
    int32_t target_cc;
    uint32_t week_minute; /* 0 is Monday, 00:00 */
    uint32_t minute_ms;
    uint32_t control_ms;
    uint32_t report_ms;
} thermostat;

static int32_t set_point(const char *argument) {
    int32_t value_cc;
    if (!number_take_temperature(&argument, &value_cc) || *argument != '\0') return REFUSED;
    struct settings changed = thermostat.settings;
    changed.set_point_cc = value_cc;
    if (!settings_save_set_point(&changed)) return REFUSED;
    thermostat.settings = changed;
    agent_log(AGENT_INFO, "set-point %ld.%02ld C", (long)(value_cc / 100), (long)(value_cc % 100));
    return value_cc;
}

static int32_t schedule(const char *argument) {
    struct settings changed = thermostat.settings;
    if (!schedule_parse(&changed.schedule, argument) || !settings_save_schedule(&changed)) return REFUSED;
    thermostat.settings = changed;
    agent_log(AGENT_INFO, "schedule of %lu points", (unsigned long)thermostat.settings.schedule.count);
    return (int32_t)thermostat.settings.schedule.count;
}

static int32_t get_set_point(const char *argument) {
    (void)argument;
    return thermostat.settings.set_point_cc;
}

static int32_t get_target(const char *argument) {
    (void)argument;
    return thermostat.target_cc;
}

static int32_t away(const char *argument) {
    if (!away_set(&thermostat.away, argument)) return REFUSED;
    agent_log(AGENT_INFO, "away %s", thermostat.away.is_away ? "on" : "off");
    return thermostat.away.is_away ? 1 : 0;
}

static void add_function(const char *name, agent_function_pointer function) {
    enum ota_status status = agent_function(name, function);
    if (status != OTA_OK) agent_log(AGENT_ERROR, "function %s: status %d", name, status);
}

/* An update would stop the heating for a while: it waits until the room is warm, as long as it may. */
static uint32_t postpone(uint32_t most_s) {
    (void)most_s;
    return thermostat.controller.is_heating ? POSTPONE_S : 0;
}

static int32_t target_now(void) {
    int32_t target_cc = thermostat.settings.set_point_cc;
    (void)schedule_target(&thermostat.settings.schedule, thermostat.week_minute, &target_cc);
    return away_target(&thermostat.away, target_cc);
}

static void control(uint32_t now_ms) {
    thermostat.air_cc = sensor_read(&thermostat.sensor, thermostat.room.air_mc);
    thermostat.target_cc = target_now();
    agent_led(controller_update(&thermostat.controller, thermostat.air_cc, thermostat.target_cc, now_ms));
}

static void report(void) {
    agent_log(AGENT_INFO, "room %ld.%02ld C, target %ld.%02ld C, heating %s%s", (long)(thermostat.air_cc / 100),
              (long)(thermostat.air_cc % 100), (long)(thermostat.target_cc / 100), (long)(thermostat.target_cc % 100),
              thermostat.controller.is_heating ? "on" : "off", thermostat.away.is_away ? ", away" : "");
}

void product_setup(void) {
    uint32_t now_ms = agent_time_ms();
    settings_load(&thermostat.settings);
    away_start(&thermostat.away);
    room_start(&thermostat.room, FIRST_AIR_MC);
    sensor_start(&thermostat.sensor);
    controller_start(&thermostat.controller);
    add_function("set_point", set_point);
    add_function("schedule", schedule);
    add_function("away", away);
    add_function("get_set", get_set_point);
    add_function("get_target", get_target);
    agent_on_update(postpone);
    thermostat.minute_ms = thermostat.control_ms = thermostat.report_ms = now_ms;
    control(now_ms);
}

void product_loop(void) {
    uint32_t now_ms = agent_time_ms();
    if (now_ms - thermostat.minute_ms >= MINUTE_MS) {
        thermostat.minute_ms += MINUTE_MS;
        thermostat.week_minute = (thermostat.week_minute + 1) % SCHEDULE_WEEK_MINUTES;
    }
    if (now_ms - thermostat.control_ms >= CONTROL_MS) {
        thermostat.control_ms += CONTROL_MS;
        room_advance(&thermostat.room, CONTROL_MS, thermostat.week_minute % DAY_MINUTES,
                     thermostat.controller.is_heating);
        control(now_ms);
    }
    if (now_ms - thermostat.report_ms >= REPORT_MS) {
        thermostat.report_ms += REPORT_MS;
        report();
    }
}
