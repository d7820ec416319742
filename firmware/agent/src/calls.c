/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include "functions.h"
#include "led.h"
#include "trial.h"

enum { REMEMBERED = 8 };

/* The last calls, in the order in which they were done, around and around. */
static struct {
    bool is_used;
    bool is_acknowledged;
    struct ota_report_result result;
} done[REMEMBERED];
static uint32_t next;

static bool is_done(uint32_t call_id) {
    for (uint32_t i = 0; i < REMEMBERED; i++) {
        if (done[i].is_used && done[i].result.call_id == call_id) return true;
    }
    return false;
}

static uint32_t count_results(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < REMEMBERED; i++) count += done[i].is_used && !done[i].is_acknowledged;
    return count;
}

/* There is always a place for it: at most half of them wait for their acknowledgement. */
static void remember(uint32_t call_id, int32_t value) {
    while (done[next].is_used && !done[next].is_acknowledged) next = (next + 1) % REMEMBERED;
    done[next].is_used = true;
    done[next].is_acknowledged = false;
    done[next].result = (struct ota_report_result){call_id, value};
    next = (next + 1) % REMEMBERED;
}

static bool is_to_be_done(uint32_t call_id) { return count_results() < CALLS_RESULTS_MAX && !is_done(call_id); }

bool calls_take(const struct ota_answer *answer) {
    for (uint32_t i = 0; i < answer->call_count; i++) {
        const struct ota_answer_call *call = &answer->calls[i];
        if (!is_to_be_done(call->id)) continue;
        int32_t value = 0;
        trial_feed_watchdog();
        enum ota_status status = functions_call(call->name, call->argument, &value);
        remember(call->id, status == OTA_OK ? value : (int32_t)status);
    }
    if (answer->has_signal && is_to_be_done(answer->signal.id)) {
        led_signal(answer->signal.is_on);
        remember(answer->signal.id, 0);
    }
    return (answer->call_count > 0 || answer->has_signal) && count_results() > 0;
}

uint32_t calls_results(struct ota_report_result results[CALLS_RESULTS_MAX]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < REMEMBERED; i++) {
        if (done[i].is_used && !done[i].is_acknowledged && count < CALLS_RESULTS_MAX) results[count++] = done[i].result;
    }
    return count;
}

void calls_take_acknowledgement(uint32_t call_id) {
    for (uint32_t i = 0; i < REMEMBERED; i++) {
        if (done[i].is_used && done[i].result.call_id == call_id) done[i].is_acknowledged = true;
    }
}
