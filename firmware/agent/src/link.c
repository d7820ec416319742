/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include "agent/agent.h"
#include "chip/cpu.h"
#include "chip/uart.h"
#include "claim.h"
#include "device.h"
#include "download.h"
#include "functions.h"
#include "info.h"
#include "ota/bytes.h"
#include "ota/frame.h"
#include "serial_transport.h"
#include "trial.h"

static struct ota_frame_decoder decoder;
static uint8_t out[OTA_FRAME_MAX];
static uint32_t bad_frames;

void link_start(void) { ota_frame_decoder_init(&decoder); }

void link_send(enum message_type type, const uint8_t *body, uint32_t len) {
    chip_uart_write(out, ota_frame_encode((uint8_t)type, body, len, out));
}

static void answer_status(enum message_type type, enum ota_status status) {
    uint8_t body[STATUS_ANSWER_LEN];
    ota_store16_le(body, (uint16_t)status);
    link_send(type, body, sizeof body);
}

static void take_info_request(void) {
    static uint8_t body[OTA_FRAME_BODY_MAX];
    link_send(MESSAGE_INFO, body, info_write(body, sizeof body));
}

static enum ota_status confirm(const uint8_t *untrusted, uint32_t len) {
    if (!device_is_for_development()) return OTA_ERR_NOT_ALLOWED;
    return len == OTA_IDENTITY_SHORT_LEN ? trial_confirm(untrusted) : OTA_ERR_MESSAGE;
}

static void take_restart(uint32_t len) {
    enum ota_status status = OTA_OK;
    if (!device_is_for_development())
        status = OTA_ERR_NOT_ALLOWED;
    else if (len != 0)
        status = OTA_ERR_MESSAGE;
    else if (device_is_on_trial())
        status = OTA_ERR_STATE; /* it would count against the image */
    answer_status(MESSAGE_RESTART_ANSWER, status);
    if (status != OTA_OK) return;
    chip_uart_flush();
    chip_restart();
}

static void take_message(uint8_t type, const uint8_t *untrusted, uint32_t len) {
    switch (type) {
    case MESSAGE_INFO_REQUEST:
        take_info_request();
        break;
    case MESSAGE_OFFER:
        download_take_offer(untrusted, len);
        break;
    case MESSAGE_CONFIRM:
        answer_status(MESSAGE_CONFIRM_ANSWER, confirm(untrusted, len));
        break;
    case MESSAGE_DATA:
        serial_transport_take_data(untrusted, len);
        break;
    case MESSAGE_OPEN_ANSWER:
        serial_transport_take_answer(EXCHANGE_OPEN, untrusted, len);
        break;
    case MESSAGE_CHECK_IN_ANSWER:
        serial_transport_take_answer(EXCHANGE_CHECK_IN, untrusted, len);
        break;
    case MESSAGE_RESTART:
        take_restart(len);
        break;
    case MESSAGE_CLAIM:
        answer_status(MESSAGE_CLAIM_ANSWER, claim_take(untrusted, len));
        break;
    case MESSAGE_CALL:
        functions_take_call(untrusted, len);
        break;
    default: /* of a later version of the protocol, or an echo of our own */
        break;
    }
}

void link_poll(void) {
    uint8_t byte;
    while (chip_uart_read(&byte, 1) == 1) {
        switch (ota_frame_decoder_push(&decoder, byte)) {
        case OTA_FRAME_DONE:
            take_message(decoder.type, decoder.body, decoder.body_len);
            break;
        case OTA_FRAME_BAD:
            bad_frames++;
            break;
        case OTA_FRAME_MORE:
        case OTA_FRAME_TEXT: /* nobody types to us */
            break;
        }
    }
}

uint32_t link_errors(void) { return bad_frames + chip_uart_errors(); }
