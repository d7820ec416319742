/* SPDX-License-Identifier: Apache-2.0 */
#include "check_in.h"

#include <string.h>

#include "agent/agent.h"
#include "answers.h"
#include "chip/flash.h"
#include "chip/rng.h"
#include "chip/time.h"
#include "counters.h"
#include "device.h"
#include "download.h"
#include "keysets.h"
#include "ota/cbor.h"
#include "ota/session.h"
#include "platform_config.h"
#include "reporting.h"
#include "trial.h"
#include "wipe.h"

enum {
    FIRST_AFTER_MS = 1000, /* and up to a quarter more */
    ANSWER_TIMEOUT_MS = 5000,
    NEWS_AFTER_MS = 1000, /* between a message and the next one that only news ask for */
    BACK_OFF_FIRST_S = 5,
    BACK_OFF_MAX_S = 3600,
    BACK_OFF_DOUBLINGS = 10, /* more than it takes from the first to the longest */
    HTTP_OK = 200,
    HTTP_UNAUTHORIZED = 401,
    HTTP_TOO_MANY = 429,
    HTTP_UNAVAILABLE = 503,
    ASKED_SPREAD_MS = 1000, /* the server spreads devices over seconds; they spread within one */
};

/*            due, no session          answer               all there
 *   WAITING -----------------> OPENING -----> KEY SETS (of the opening) ---> WAITING, due at once, with a session
 *      | ^                        |  ^---- the answer is not believed ---'
 *      | '--- no answer in time --'
 *      | due, in a session               answer                             nothing to fetch
 *      '-----------------------> REPORTING -----> KEY SETS (of the answer) -----------------> WAITING
 */
enum phase {
    PHASE_WAITING,
    PHASE_OPENING,
    PHASE_REPORTING,
    PHASE_OPENING_KEYSETS,
    PHASE_ANSWER_KEYSETS,
};

static struct {
    const struct transport *transport;
    enum phase phase;
    uint32_t since_ms; /* the wait began */
    uint32_t wait_ms;  /* for the next message, or for an answer to this one */
    uint32_t next_ms;  /* to wait once the key sets of an answer are there */
    uint32_t failures; /* in a row */
    uint16_t number;   /* of the last exchange */
    bool has_answer;   /* in this session */
    bool is_held;      /* the server may take its time with the answer */
    bool has_news;     /* something came up since the last report */
    struct ota_session session;
} check_in;

static uint8_t message[OTA_SESSION_MESSAGE_MAX];  /* to send */
static uint8_t received[OTA_SESSION_MESSAGE_MAX]; /* the answer at work */
static uint32_t received_len;

/* ---- time ---- */

static void wait(enum phase phase, uint32_t wait_ms) {
    check_in.phase = phase;
    check_in.since_ms = chip_time_ms();
    check_in.wait_ms = wait_ms;
}

/* At random, `ms` at most; 0 without random numbers. */
static uint32_t up_to(uint32_t ms) {
    uint8_t random[4];
    return chip_rng_fill(random, sizeof random) == OTA_OK ? ota_load32_le(random) % (ms + 1) : 0;
}

/* Up to a quarter of `ms` more. */
static uint32_t with_jitter(uint32_t ms) { return ms + up_to(ms / 4); }

static void back_off(void) {
    uint32_t doublings = ota_min_u32(check_in.failures, BACK_OFF_DOUBLINGS);
    uint32_t pause_s = ota_min_u32((uint32_t)BACK_OFF_FIRST_S << doublings, BACK_OFF_MAX_S);
    check_in.failures++;
    wait(PHASE_WAITING, with_jitter(pause_s * 1000));
}

static uint32_t interval_ms(void) { return reporting_interval_s() * 1000; }

/* ---- messages to the server ---- */

static void send(enum exchange exchange, struct ota_span bytes) {
    check_in.number++;
    check_in.transport->send(exchange, check_in.number, bytes);
}

static enum ota_status write_opening(uint32_t *len) {
    struct ota_identity_page page;
    uint8_t secrets[OTA_SESSION_SECRET_LEN + OTA_SESSION_NONCE_LEN];
    TRY(chip_rng_fill(secrets, sizeof secrets));
    enum ota_status status = ota_identity_page_read(&chip_flash, device.device_id, &page);
    if (status == OTA_OK) {
        const struct ota_session_device who = {&page, platform_config.platform_id, device.keyset.version};
        status = ota_session_begin(&check_in.session, &who, secrets, secrets + OTA_SESSION_SECRET_LEN, message,
                                   sizeof message, len);
    }
    wipe(&page, sizeof page);
    wipe(secrets, sizeof secrets);
    return status;
}

static void begin_opening(void) {
    uint32_t len;
    trial_feed_watchdog();
    enum ota_status status = write_opening(&len);
    if (status != OTA_OK) {
        agent_log(AGENT_WARN, "check-in: no session can be opened, status %d", status);
        back_off();
        return;
    }
    send(EXCHANGE_OPEN, (struct ota_span){message, len});
    wait(PHASE_OPENING, ANSWER_TIMEOUT_MS);
}

static void begin_report(void) {
    uint32_t len;
    enum ota_status status = reporting_write(message, OTA_SESSION_PLAINTEXT_MAX, &len);
    if (status == OTA_OK) {
        status = ota_session_seal(&check_in.session, (struct ota_span){message, len}, message, sizeof message, &len);
    }
    if (status != OTA_OK) { /* its counters are used up */
        ota_session_drop(&check_in.session);
        back_off();
        return;
    }
    send(EXCHANGE_CHECK_IN, (struct ota_span){message, len});
    check_in.has_news = false;
    check_in.is_held = reporting_hold_s() > 0;
    wait(PHASE_REPORTING, ANSWER_TIMEOUT_MS + reporting_hold_s() * 1000);
}

/* ---- opening ---- */

static void take_opening(void) {
    struct ota_session_answer answer;
    if (ota_session_read_answer(received, received_len, &answer) != OTA_OK) return;
    keysets_begin(check_in.transport, answer.keysets, answer.keyset_count);
    wait(PHASE_OPENING_KEYSETS, 0);
}

/* The key sets that the server has named are there, as far as they could be had. */
static void finish_opening(void) {
    struct ota_session_answer answer;
    bool is_by_current = false;
    trial_feed_watchdog();
    enum ota_status status = ota_session_read_answer(received, received_len, &answer);
    if (status == OTA_OK) {
        status = ota_session_finish(&check_in.session, &answer, &device.keyset, keysets_previous(), &is_by_current);
    }
    if (status == OTA_OK) {
        if (is_by_current) keysets_prove_current();
        reporting_begin_session();
        check_in.has_answer = false;
        agent_log(AGENT_INFO, "check-in: session opened");
        wait(PHASE_WAITING, 0);
    } else if (status == OTA_ERR_NOT_FOUND && keysets_accepted() > 0) {
        ota_session_drop(&check_in.session); /* the chain goes on: open again with the new version */
        wait(PHASE_WAITING, 0);
    } else {
        agent_log(AGENT_INFO, "check-in: opening answer refused, status %d", status);
        wait(PHASE_OPENING, ANSWER_TIMEOUT_MS); /* the true one may still come */
    }
}

/* ---- answers to reports ---- */

/* Whatever an authentic answer says: this image has reached its server. */
static bool confirm_trial(void) {
    if (!device_is_on_trial()) return false;
    enum ota_status status = trial_confirm(device.running.identity);
    if (status == OTA_OK)
        agent_log(AGENT_INFO, "trial: confirmed");
    else
        agent_log(AGENT_ERROR, "trial: cannot be confirmed, status %d", status);
    return status == OTA_OK;
}

static uint32_t next_ms(const struct ota_answer *answer, bool has_news) {
    if (answer->has_next && answer->next_s > 0) reporting_set_interval(answer->next_s);
    bool is_at_once = has_news || (answer->has_next && answer->next_s == 0);
    return is_at_once ? 0 : interval_ms();
}

static void take_report_answer(void) {
    static struct ota_answer answer;
    struct ota_span plaintext;
    if (ota_session_open(&check_in.session, received, received_len, &plaintext) != OTA_OK) return;
    check_in.failures = 0;
    check_in.has_answer = true;
    reporting_take_answer();
    counters_save();
    wait(PHASE_WAITING, interval_ms());
    if (ota_answer_read(plaintext.bytes, plaintext.len, &answer) != OTA_OK) {
        agent_log(AGENT_WARN, "check-in: the answer is not understood");
        if (confirm_trial()) check_in_soon();
        return;
    }
    reporting_take_acknowledgements(&answer);
    bool is_confirmed = confirm_trial();
    bool has_news = answers_apply(&answer);
    uint32_t pause_ms = next_ms(&answer, has_news || is_confirmed);
    bool is_due = check_in.wait_ms == 0; /* something that was done has asked for it */
    wait(PHASE_WAITING, is_due ? 0 : pause_ms);
    if (answer.keyset_count == 0 || download_is_active()) return; /* the server names them again */
    keysets_begin(check_in.transport, answer.keysets, answer.keyset_count);
    check_in.next_ms = check_in.wait_ms;
    wait(PHASE_ANSWER_KEYSETS, 0);
}

/* The pause that a server with too much to do asks for; 0: none, so the back-off's own. It is not signed: it only
 * chooses among pauses that the back-off may have. A trial has a deadline and waits for nobody. */
static uint32_t asked_pause_s(uint16_t http_status, struct ota_span untrusted) {
    struct ota_cbor_reader reader;
    uint32_t pause_s;
    if (http_status != HTTP_TOO_MANY && http_status != HTTP_UNAVAILABLE) return 0;
    ota_cbor_reader_init(&reader, untrusted.bytes, untrusted.len);
    if (!ota_cbor_read_range(&reader, BACK_OFF_FIRST_S, BACK_OFF_MAX_S, &pause_s)) return 0;
    return ota_cbor_reader_at_end(&reader) && !device_is_on_trial() ? pause_s : 0;
}

/* A refusal is not signed. A session that has worked is opened anew at once; one that never has waits its turn. */
static void take_refusal(uint16_t http_status, struct ota_span untrusted) {
    uint32_t pause_s = asked_pause_s(http_status, untrusted);
    agent_log(AGENT_INFO, "check-in: refused, HTTP status %u", http_status);
    bool is_session_over = check_in.phase == PHASE_REPORTING && http_status == HTTP_UNAUTHORIZED;
    bool is_at_once = is_session_over && check_in.has_answer;
    if (is_session_over || check_in.phase == PHASE_OPENING) ota_session_drop(&check_in.session);
    if (is_at_once) {
        wait(PHASE_WAITING, 0);
    } else if (pause_s > 0) {
        check_in.failures++;
        wait(PHASE_WAITING, pause_s * 1000 + up_to(ASKED_SPREAD_MS));
    } else {
        back_off();
    }
}

void check_in_take_answer(enum exchange exchange, uint16_t number, uint16_t http_status, struct ota_span untrusted) {
    enum phase asked = exchange == EXCHANGE_OPEN ? PHASE_OPENING : PHASE_REPORTING;
    if (check_in.phase != asked || number != check_in.number) return;
    if (http_status != HTTP_OK) {
        take_refusal(http_status, untrusted);
        return;
    }
    if (untrusted.len > sizeof received) return;
    received_len = untrusted.len;
    memcpy(received, untrusted.bytes, untrusted.len);
    if (asked == PHASE_OPENING)
        take_opening();
    else
        take_report_answer();
}

/* ---- the whole ---- */

void check_in_start(const struct transport *transport) {
    check_in.transport = transport;
    ota_session_init(&check_in.session);
    reporting_start();
    wait(PHASE_WAITING, with_jitter(FIRST_AFTER_MS));
}

/* An image whose trial has been given up has nothing to say: it waits for the watchdog. */
static bool may_talk(void) {
    if (!device.has_identity || device.requirements.keyset == NULL || download_is_local()) return false;
    return device_is_confirmed() || device_is_on_trial();
}

static void fall_silent(void) {
    if (check_in.phase == PHASE_OPENING || check_in.phase == PHASE_OPENING_KEYSETS) ota_session_drop(&check_in.session);
    keysets_cancel();
    wait(PHASE_WAITING, FIRST_AFTER_MS);
}

static void poll_waiting(void) {
    if (download_is_fetching()) return;
    if (check_in.session.phase == OTA_SESSION_NONE)
        begin_opening();
    else
        begin_report();
}

/* A new message, with a new counter, says the same again. */
static void give_up_waiting(void) {
    agent_log(AGENT_INFO, "check-in: no answer");
    if (check_in.phase == PHASE_OPENING) ota_session_drop(&check_in.session);
    back_off();
}

/* News wait neither for the interval nor for the end of a hold: the server answers the newest message only. */
static bool are_news_due(void) {
    if (!check_in.has_news || chip_time_ms() - check_in.since_ms < NEWS_AFTER_MS) return false;
    bool is_idle = check_in.phase == PHASE_WAITING && check_in.failures == 0;
    return is_idle || (check_in.phase == PHASE_REPORTING && check_in.is_held);
}

void check_in_poll(void) {
    if (!may_talk()) {
        if (check_in.phase != PHASE_WAITING) fall_silent();
        return;
    }
    if (check_in.phase == PHASE_OPENING_KEYSETS || check_in.phase == PHASE_ANSWER_KEYSETS) {
        if (!keysets_poll()) return;
        if (check_in.phase == PHASE_OPENING_KEYSETS)
            finish_opening();
        else
            wait(PHASE_WAITING, keysets_accepted() > 0 ? 0 : check_in.next_ms);
        return;
    }
    if (are_news_due()) {
        poll_waiting();
        return;
    }
    if (chip_time_ms() - check_in.since_ms < check_in.wait_ms) return;
    if (check_in.phase == PHASE_WAITING)
        poll_waiting();
    else
        give_up_waiting();
}

bool check_in_is_busy(void) { return check_in.phase != PHASE_WAITING; }

void check_in_soon(void) {
    if (check_in.phase == PHASE_WAITING && check_in.failures == 0) check_in.wait_ms = 0;
}

void check_in_with_news(void) { check_in.has_news = true; }
