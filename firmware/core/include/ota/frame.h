/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_FRAME_H
#define OTA_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/cobs.h"
#include "ota/status.h"

/* Frames on the serial link: docs/spec/serial_link.md section 1. */
enum {
    OTA_FRAME_BODY_MAX = 1024,
    OTA_FRAME_RAW_MAX = 1 + OTA_FRAME_BODY_MAX + 4,            /* type, body, CRC */
    OTA_FRAME_CODED_MAX = OTA_COBS_MAX_LEN(OTA_FRAME_RAW_MAX), /* between the two 0x00 */
    OTA_FRAME_MAX = OTA_FRAME_CODED_MAX + 2,
};

/* Writes a whole frame, delimiters included, to `out`, which has room for OTA_FRAME_MAX bytes; `body` does not overlap
 * it; `body_len` is at most OTA_FRAME_BODY_MAX. Returns the frame's length. */
uint32_t ota_frame_encode(uint8_t type, const uint8_t *body, uint32_t body_len, uint8_t *out);

enum ota_frame_event {
    OTA_FRAME_MORE, /* nothing yet */
    OTA_FRAME_TEXT, /* the byte is log text, outside of any frame */
    OTA_FRAME_DONE, /* a frame has ended: its type and body are in the decoder until the next push */
    OTA_FRAME_BAD,  /* what stood between delimiters was no frame */
};

struct ota_frame_decoder {
    bool is_inside;
    uint32_t len; /* coded bytes so far */
    uint8_t type;
    uint32_t body_len;
    const uint8_t *body; /* into `buffer` */
    uint8_t buffer[OTA_FRAME_CODED_MAX];
};

void ota_frame_decoder_init(struct ota_frame_decoder *decoder);

/* Takes any byte at any time. */
enum ota_frame_event ota_frame_decoder_push(struct ota_frame_decoder *decoder, uint8_t byte);

#endif
