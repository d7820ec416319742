/* SPDX-License-Identifier: Apache-2.0 */
#include "serial_transport.h"

#include <string.h>

#include "check_in.h"
#include "download.h"
#include "keysets.h"
#include "link.h"
#include "ota/session.h"

static void send_message(enum exchange exchange, uint16_t number, struct ota_span message) {
    static uint8_t body[EXCHANGE_MESSAGE_AT + OTA_SESSION_MESSAGE_MAX];
    if (message.len > OTA_SESSION_MESSAGE_MAX) return;
    ota_store16_le(body, number);
    memcpy(body + EXCHANGE_MESSAGE_AT, message.bytes, message.len);
    enum message_type type = exchange == EXCHANGE_OPEN ? MESSAGE_OPEN : MESSAGE_CHECK_IN;
    link_send(type, body, EXCHANGE_MESSAGE_AT + message.len);
}

static void send_fetch(const uint8_t digest[OTA_SHA256_LEN], uint32_t off, uint16_t len) {
    uint8_t body[FETCH_LEN];
    memcpy(body, digest, OTA_SHA256_LEN);
    ota_store32_le(body + FETCH_OFFSET_AT, off);
    ota_store16_le(body + FETCH_LENGTH_AT, len);
    link_send(MESSAGE_FETCH, body, sizeof body);
}

const struct transport serial_transport = {.send = send_message, .fetch = send_fetch};

void serial_transport_take_answer(enum exchange exchange, const uint8_t *untrusted, uint32_t len) {
    if (len < EXCHANGE_ANSWER_AT) return;
    uint16_t number = ota_load16_le(untrusted);
    uint16_t http_status = ota_load16_le(untrusted + EXCHANGE_STATUS_AT);
    const struct ota_span answer = {untrusted + EXCHANGE_ANSWER_AT, len - EXCHANGE_ANSWER_AT};
    check_in_take_answer(exchange, number, http_status, answer);
}

void serial_transport_take_data(const uint8_t *untrusted, uint32_t len) {
    if (len < DATA_BYTES_AT) return;
    uint32_t off = ota_load32_le(untrusted + DATA_OFFSET_AT);
    const struct ota_span bytes = {untrusted + DATA_BYTES_AT, len - DATA_BYTES_AT};
    if (keysets_are_fetching())
        keysets_take_data(off, bytes);
    else
        download_take_data(off, bytes);
}
