/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_MESSAGES_H
#define AGENT_MESSAGES_H

#include "ota/frame.h"

/* Types of the messages on the serial link and the places of their fields: docs/spec/serial_link.md section 2. */
enum message_type {
    MESSAGE_INFO_REQUEST = 0x01,
    MESSAGE_INFO = 0x81,
    MESSAGE_OFFER = 0x02,
    MESSAGE_OFFER_ANSWER = 0x82,
    MESSAGE_CONFIRM = 0x03,
    MESSAGE_CONFIRM_ANSWER = 0x83,
    MESSAGE_FETCH = 0x04, /* from the device */
    MESSAGE_DATA = 0x84,  /* to the device */
    MESSAGE_RESTART = 0x05,
    MESSAGE_RESTART_ANSWER = 0x85,
    MESSAGE_CALL = 0x06,
    MESSAGE_CALL_ANSWER = 0x86,
    MESSAGE_UPDATE_STATUS = 0x07, /* from the device, unasked */
    MESSAGE_OPEN = 0x08,          /* from the device, to the server */
    MESSAGE_OPEN_ANSWER = 0x88,
    MESSAGE_CHECK_IN = 0x09, /* from the device, to the server */
    MESSAGE_CHECK_IN_ANSWER = 0x89,
    MESSAGE_CLAIM = 0x0A,
    MESSAGE_CLAIM_ANSWER = 0x8A,
};

enum {
    OFFER_ATTEMPT_AT = 0,
    OFFER_IDENTITY_AT = 4,
    OFFER_DIGEST_AT = 36,
    OFFER_PATCH_LEN_AT = 68,
    OFFER_IMAGE_LEN_AT = 72,
    OFFER_LEN = 76,

    OFFER_ANSWER_LEN = 10,
    STATUS_ANSWER_LEN = 2,

    FETCH_OFFSET_AT = 32,
    FETCH_LENGTH_AT = 36,
    FETCH_LEN = 38,

    DATA_OFFSET_AT = 0,
    DATA_BYTES_AT = 4,
    DATA_BYTES_MAX = OTA_FRAME_BODY_MAX - DATA_BYTES_AT,

    CALL_ID_AT = 0,
    CALL_NAME_LEN_AT = 2,
    CALL_NAME_AT = 3,
    CALL_NAME_MAX = 12,
    CALL_ARGUMENT_MAX = 622,
    CALL_ANSWER_LEN = 8,

    UPDATE_STATUS_LEN = 11,

    EXCHANGE_MESSAGE_AT = 2, /* in OPEN and CHECK_IN, behind the exchange's number */
    EXCHANGE_STATUS_AT = 2,  /* in their answers */
    EXCHANGE_ANSWER_AT = 4,
};

enum update_phase {
    UPDATE_ERASING = 1,  /* the device is silent for up to 12 s */
    UPDATE_CHECKING = 2, /* all bytes are there; the device is silent for up to 2 s */
    UPDATE_ENDED = 3,    /* OTA_OK: staged, the device restarts; else why it stopped */
};

#endif
