/* SPDX-License-Identifier: Apache-2.0 */
#include "reporting.h"

#include <string.h>

#include "agent/agent.h"
#include "calls.h"
#include "chip/flash.h"
#include "chip/stack.h"
#include "chip/time.h"
#include "claim.h"
#include "consent.h"
#include "counters.h"
#include "crash.h"
#include "device.h"
#include "download.h"
#include "events.h"
#include "functions.h"
#include "link.h"
#include "log_ring.h"
#include "ota/report.h"
#include "product_config.h"
#include "settings.h"
#include "store_keys.h"
#include "variables.h"

enum {
    INTERVAL_DEFAULT_S = 60, /* until the server says another */
    INTERVAL_MAX_S = 604800,
    HEALTH_KEYS = OTA_HEALTH_RESET_CAUSE,
};

static struct {
    struct ota_report_memory memory;
    uint32_t interval_s;
    bool has_answered; /* in this session */
    int32_t health_answered[HEALTH_KEYS + 1];
    int32_t health_sent[HEALTH_KEYS + 1];
    uint32_t health_unsure; /* bit n: key n was sent since the last answer */
    bool has_sent_outcome;
    bool has_sent_stop;
    uint32_t readings_sent;
} reporting;

void reporting_start(void) {
    reporting.interval_s = settings_number(STORE_KEY_INTERVAL, 1, INTERVAL_MAX_S, INTERVAL_DEFAULT_S);
    claim_start();
}

void reporting_begin_session(void) {
    ota_report_memory_init(&reporting.memory);
    reporting.has_answered = false;
    reporting.health_unsure = 0;
}

uint32_t reporting_interval_s(void) { return reporting.interval_s; }

void reporting_set_interval(uint32_t interval_s) { reporting.interval_s = ota_min_u32(interval_s, INTERVAL_MAX_S); }

/* Nobody waits at the server while pieces of a patch are to be fetched, or a trial to be confirmed. */
uint32_t reporting_hold_s(void) {
    if (download_is_active() || device_is_on_trial()) return 0;
    return settings_number(STORE_KEY_HOLD, 0, OTA_REPORT_HOLD_MAX_S, 0);
}

static struct ota_report_state state_now(void) {
    struct ota_report_state state = {
        .product_version = product_config.version,
        .slot = device.slot,
        .hw_rev = device.requirements.hw_rev,
        .security_counter = device.requirements.security_counter,
        .trial = device_is_on_trial() ? (uint8_t)device.facts.trial_count : 0,
        .bootloader_version = device.requirements.bootloader_version,
        .keyset_version = device.keyset.version,
        .interval_s = reporting.interval_s,
    };
    memcpy(state.identity, device.running.identity, sizeof state.identity);
    return state;
}

/* Those that the server does not know, by the same rule as state keys. */
static uint32_t fill_health(struct ota_report_health health[HEALTH_KEYS]) {
    const uint32_t now[HEALTH_KEYS + 1] = {
        [OTA_HEALTH_FREE_STACK] = chip_stack_free(),     [OTA_HEALTH_LINK_ERRORS] = link_errors(),
        [OTA_HEALTH_FLASH_ERRORS] = chip_flash_errors(), [OTA_HEALTH_RESETS] = counters_resets(),
        [OTA_HEALTH_RESET_CAUSE] = device.reset.cause,
    };
    uint32_t count = 0;
    for (uint32_t key = 1; key <= HEALTH_KEYS; key++) {
        int32_t value = (int32_t)ota_min_u32(now[key], INT32_MAX);
        reporting.health_sent[key] = value;
        if (!reporting.has_answered || value != reporting.health_answered[key]) reporting.health_unsure |= 1u << key;
        if ((reporting.health_unsure & 1u << key) != 0) health[count++] = (struct ota_report_health){key, value};
    }
    return count;
}

static bool fill_outcome(struct ota_report_outcome *outcome) {
    reporting.has_sent_outcome = device.facts.has_outcome;
    if (!device.facts.has_outcome) return false;
    const struct ota_bootlog_record *record = &device.facts.outcome;
    outcome->attempt = record->attempt;
    outcome->type = record->type;
    outcome->reason = record->reason;
    memcpy(outcome->identity, record->identity, sizeof outcome->identity);
    return true;
}

enum ota_status reporting_write(uint8_t *out, uint32_t size, uint32_t *len) {
    struct ota_report_outcome outcome;
    struct ota_report_update update;
    struct ota_report_health health[HEALTH_KEYS];
    struct ota_report_crash crash;
    struct ota_report_result results[CALLS_RESULTS_MAX];
    static struct ota_report_line lines[LOG_RING_LINES];
    static struct ota_report_event events[EVENTS_MAX];
    static struct ota_span functions[FUNCTIONS_MAX];
    static struct ota_report_variable variables[VARIABLES_MAX];
    struct ota_report_reading readings[VARIABLES_READINGS_MAX];
    struct ota_span claim;
    struct ota_report_postponed postponed;
    struct ota_report report = {
        .state = state_now(),
        .outcome = fill_outcome(&outcome) ? &outcome : NULL,
        .update = download_update(&update) ? &update : NULL,
        .has_uptime = true,
        .uptime_s = counters_uptime_s(),
        .health = health,
        .health_count = fill_health(health),
        .lines = lines,
        .events = events,
        .crash = crash_oldest(&crash) ? &crash : NULL,
        .results = results,
        .result_count = calls_results(results),
        .hold_s = reporting_hold_s(),
        .has_boots = !reporting.has_answered,
        .boots = counters_boots(),
        .functions = functions,
        .function_count = reporting.has_answered ? 0 : functions_names(functions),
        .variables = variables,
        .variable_count = reporting.has_answered ? 0 : variables_list(variables),
        .readings = readings,
        .reading_count = variables_readings(readings),
        .claim_code = claim_code(&claim) ? &claim : NULL,
        .postponed = consent_postponed(&postponed) ? &postponed : NULL,
    };
    report.has_hold = report.hold_s > 0;
    reporting.has_sent_stop = report.update != NULL && update.status < 0;
    report.line_count = log_ring_lines(lines, chip_time_ms(), &report.lines_report_id);
    report.event_count = events_list(events, chip_time_ms(), &report.events_report_id);
    TRY(ota_report_write(&report, &reporting.memory, out, size, len));
    bool are_lines_whole = log_ring_take_sent(report.line_count);
    bool are_events_whole = events_take_sent(report.event_count);
    reporting.readings_sent = report.reading_count;
    if (are_lines_whole && are_events_whole) return OTA_OK;
    /* Not all of what was sent before fits beside the rest this time. */
    if (!are_lines_whole) report.line_count = 0;
    if (!are_events_whole) report.event_count = 0;
    return ota_report_write(&report, &reporting.memory, out, size, len);
}

void reporting_take_answer(void) {
    ota_report_memory_take_answer(&reporting.memory);
    reporting.has_answered = true;
    reporting.health_unsure = 0;
    memcpy(reporting.health_answered, reporting.health_sent, sizeof reporting.health_answered);
    variables_take_told(reporting.readings_sent);
    reporting.readings_sent = 0;
    if (reporting.has_sent_stop) download_take_told();
    reporting.has_sent_stop = false;
}

/* Only of what was sent: another outcome, of another attempt, may have been written since. */
static void take_outcome_acknowledgement(uint32_t attempt) {
    const struct ota_bootlog_record *outcome = &device.facts.outcome;
    if (!device.facts.has_outcome || !reporting.has_sent_outcome || outcome->attempt != attempt) return;
    /* cut: it is reported again */
    enum ota_status status = device_append(OTA_BOOTLOG_REPORTED, outcome->slot, OTA_REASON_NONE, attempt,
                                           outcome->identity, outcome->security_counter);
    if (status != OTA_OK) agent_log(AGENT_INFO, "the outcome cannot be marked as reported, status %d", status);
}

void reporting_take_acknowledgements(const struct ota_answer *answer) {
    for (uint32_t i = 0; i < answer->acknowledged_count; i++) {
        log_ring_take_acknowledgement(answer->acknowledged[i]);
        events_take_acknowledgement(answer->acknowledged[i]);
        crash_take_acknowledgement(answer->acknowledged[i]);
    }
    for (uint32_t i = 0; i < answer->results_acknowledged_count; i++) {
        calls_take_acknowledgement(answer->results_acknowledged[i]);
    }
    if (answer->is_claim_taken) claim_take_acknowledgement();
    if (answer->has_outcome_acknowledged) take_outcome_acknowledgement(answer->outcome_acknowledged);
}

bool reporting_has_more(void) {
    struct ota_report_crash crash;
    return crash_oldest(&crash) || events_are_waiting();
}
