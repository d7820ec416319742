/* SPDX-License-Identifier: Apache-2.0 */
#include "consent.h"

#include <stddef.h>

#include "agent/agent.h"
#include "check_in.h"
#include "chip/time.h"
#include "download.h"
#include "ota/bytes.h"

/* Shorter than the time after which milliseconds begin anew, whatever the server allows. */
enum { POSTPONE_MAX_S = 30 * 24 * 3600 };

static agent_update_pointer postpone; /* NULL: updates begin at once */

static struct {
    bool is_set;
    struct ota_answer_offer offer;
    uint32_t since_ms; /* the two below count from then */
    uint32_t wait_s;
    uint32_t most_s;
} waiting;

void agent_on_update(agent_update_pointer product) { postpone = product; }

/* Whole seconds until `after_s`, rounded up. */
static uint32_t left_s(uint32_t after_s) {
    uint32_t passed_ms = chip_time_ms() - waiting.since_ms;
    return passed_ms >= after_s * 1000 ? 0 : after_s - passed_ms / 1000;
}

static void begin(void) {
    waiting.is_set = false;
    download_take_server_offer(&waiting.offer);
}

static void ask(uint32_t most_s) {
    waiting.most_s = most_s;
    waiting.wait_s = postpone == NULL || most_s == 0 ? 0 : ota_min_u32(postpone(most_s), most_s);
    waiting.since_ms = chip_time_ms();
    if (waiting.wait_s == 0) {
        begin();
        return;
    }
    waiting.is_set = true;
    agent_log(AGENT_INFO, "update: put off for %lu s", (unsigned long)waiting.wait_s);
    check_in_with_news();
}

void consent_take_offer(const struct ota_answer_offer *offer, uint32_t most_s) {
    most_s = ota_min_u32(most_s, POSTPONE_MAX_S);
    bool is_waiting = waiting.is_set && waiting.offer.attempt == offer->attempt;
    waiting.offer = *offer;
    if (download_knows(offer->attempt)) {
        begin();
    } else if (is_waiting && left_s(waiting.wait_s) <= most_s) {
        waiting.wait_s = left_s(waiting.wait_s);
        waiting.most_s = most_s;
        waiting.since_ms = chip_time_ms();
    } else {
        ask(most_s);
    }
}

void consent_withdraw(uint32_t attempt) {
    if (waiting.offer.attempt == attempt) waiting.is_set = false;
}

void consent_poll(void) {
    if (waiting.is_set && left_s(waiting.wait_s) == 0) ask(left_s(waiting.most_s));
}

bool consent_postponed(struct ota_report_postponed *postponed) {
    *postponed = (struct ota_report_postponed){waiting.offer.attempt, left_s(waiting.wait_s)};
    return waiting.is_set;
}
