/* SPDX-License-Identifier: Apache-2.0 */
#include "ymodem.h"

#include <string.h>

enum {
    SOH = 0x01, /* 128 bytes follow */
    STX = 0x02, /* 1,024 bytes follow */
    EOT = 0x04,
    ACK = 0x06,
    NAK = 0x15,
    CAN = 0x18,
    ASK = 'C', /* begin, with CRC-16 */
    SHORT_LEN = 128,
    FRAMING_LEN = 4, /* number, complement, CRC */
    ERRORS_MAX = 10,
    ASK_MS = 3000,
    REPEAT_MS = 5000,
    FILE_LEN_MAX = 0x100000,
};

static void answer(const struct ymodem_port *port, uint8_t byte) { port->send(port->ctx, &byte, 1); }

static enum ymodem_event cancel(struct ymodem *ymodem, const struct ymodem_port *port, enum ota_status status) {
    static const uint8_t stop[] = {CAN, CAN, CAN, CAN, CAN};
    port->send(port->ctx, stop, sizeof stop);
    ymodem->status = status;
    return YMODEM_CANCELED;
}

static enum ymodem_event complain(struct ymodem *ymodem, const struct ymodem_port *port) {
    ymodem->block_len = 0;
    if (++ymodem->error_count >= ERRORS_MAX) return cancel(ymodem, port, OTA_ERR_FRAME);
    answer(port, ymodem->in_file ? NAK : ASK);
    return YMODEM_BUSY;
}

void ymodem_init(struct ymodem *ymodem, uint32_t now_ms) {
    memset(ymodem, 0, sizeof *ymodem);
    ymodem->quiet_ms = now_ms - ASK_MS; /* ask at once */
}

/* CRC-16/XMODEM: polynomial 0x1021, start 0. */
static uint16_t crc16(const uint8_t *bytes, uint32_t len) {
    uint32_t crc = 0;
    for (uint32_t i = 0; i < len; i++) {
        crc ^= (uint32_t)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 0x8000u) != 0 ? (crc << 1) ^ 0x1021u : crc << 1;
    }
    return (uint16_t)crc;
}

/* Block 0 holds the name, a zero byte, and the length in decimal. False: no length, or one that no file here has. */
static bool header_length(const uint8_t *untrusted, uint32_t block_len, uint32_t *len) {
    uint32_t at = 0;
    while (at < block_len && untrusted[at] != 0) at++;
    at++;
    uint32_t value = 0;
    uint32_t digits = 0;
    for (; at < block_len && untrusted[at] >= '0' && untrusted[at] <= '9'; at++, digits++) {
        value = value * 10u + (uint32_t)(untrusted[at] - '0');
        if (value > FILE_LEN_MAX) return false;
    }
    *len = value;
    return digits > 0 && value > 0;
}

static enum ymodem_event take_header(struct ymodem *ymodem, const struct ymodem_port *port) {
    const uint8_t *untrusted = ymodem->block + 2;
    if (untrusted[0] == 0) { /* no name: the batch has ended */
        answer(port, ACK);
        return YMODEM_DONE;
    }
    uint32_t len;
    if (!header_length(untrusted, ymodem->block_len, &len)) return cancel(ymodem, port, OTA_ERR_FRAME);
    enum ota_status status = port->begin(port->ctx, len);
    if (status != OTA_OK) return cancel(ymodem, port, status);
    ymodem->in_file = true;
    ymodem->got_header = true;
    ymodem->file_left = len;
    ymodem->next_block = 1;
    answer(port, ACK);
    answer(port, ASK);
    return YMODEM_BUSY;
}

static enum ymodem_event take_data(struct ymodem *ymodem, const struct ymodem_port *port) {
    /* The last block is padded. */
    uint32_t len = ymodem->block_len < ymodem->file_left ? ymodem->block_len : ymodem->file_left;
    if (len > 0) {
        enum ota_status status = port->data(port->ctx, ymodem->block + 2, len);
        if (status != OTA_OK) return cancel(ymodem, port, status);
    }
    ymodem->file_left -= len;
    ymodem->next_block++;
    answer(port, ACK);
    return YMODEM_BUSY;
}

static enum ymodem_event take_block(struct ymodem *ymodem, const struct ymodem_port *port) {
    const uint8_t *block = ymodem->block;
    uint32_t len = ymodem->block_len;
    uint16_t crc = (uint16_t)(block[2 + len] << 8 | block[3 + len]);
    if ((block[0] ^ block[1]) != 0xFF || crc16(block + 2, len) != crc) return complain(ymodem, port);

    enum ymodem_event event = YMODEM_BUSY;
    uint8_t number = block[0];
    if (!ymodem->in_file && number == 0) {
        event = take_header(ymodem, port);
    } else if (ymodem->in_file && number == ymodem->next_block) {
        event = take_data(ymodem, port);
    } else if (ymodem->in_file && number == (uint8_t)(ymodem->next_block - 1u)) {
        answer(port, ACK); /* our answer to it was lost */
        if (number == 0) answer(port, ASK);
    } else {
        return cancel(ymodem, port, OTA_ERR_FRAME);
    }
    ymodem->block_len = 0;
    ymodem->error_count = 0;
    return event;
}

static enum ymodem_event end_of_file(struct ymodem *ymodem, const struct ymodem_port *port) {
    if (ymodem->in_file) {
        if (ymodem->file_left != 0) return cancel(ymodem, port, OTA_ERR_FRAME);
        enum ota_status status = port->end(port->ctx);
        /* Without an ACK: `sb` looks at nothing else here, waits 10 s, and ends with a failure. */
        if (status != OTA_OK) return cancel(ymodem, port, status);
        ymodem->in_file = false;
    }
    answer(port, ACK);
    answer(port, ASK);
    return YMODEM_BUSY;
}

static enum ymodem_event start_of_block(struct ymodem *ymodem, const struct ymodem_port *port, uint8_t byte) {
    ymodem->cancel_count = byte == CAN ? (uint8_t)(ymodem->cancel_count + 1u) : 0;
    switch (byte) {
    case SOH:
    case STX:
        ymodem->block_len = byte == SOH ? SHORT_LEN : YMODEM_BLOCK_MAX;
        ymodem->at = 0;
        return YMODEM_BUSY;
    case EOT:
        return ymodem->got_header ? end_of_file(ymodem, port) : YMODEM_BUSY;
    case CAN:
        if (ymodem->cancel_count < 2) return YMODEM_BUSY;
        ymodem->status = OTA_ERR_FRAME;
        return YMODEM_CANCELED;
    default:
        return YMODEM_BUSY; /* noise between blocks */
    }
}

enum ymodem_event ymodem_push(struct ymodem *ymodem, const struct ymodem_port *port, uint8_t byte, uint32_t now_ms) {
    ymodem->quiet_ms = now_ms;
    if (ymodem->block_len == 0) return start_of_block(ymodem, port, byte);
    ymodem->block[ymodem->at++] = byte;
    return ymodem->at == ymodem->block_len + FRAMING_LEN ? take_block(ymodem, port) : YMODEM_BUSY;
}

enum ymodem_event ymodem_tick(struct ymodem *ymodem, const struct ymodem_port *port, uint32_t now_ms) {
    uint32_t patience_ms = ymodem->got_header ? REPEAT_MS : ASK_MS;
    if (now_ms - ymodem->quiet_ms < patience_ms) return YMODEM_BUSY;
    ymodem->quiet_ms = now_ms;
    if (ymodem->got_header) return complain(ymodem, port);
    ymodem->block_len = 0;
    answer(port, ASK);
    return YMODEM_BUSY;
}
