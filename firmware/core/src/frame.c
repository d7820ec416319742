/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/frame.h"

#include <string.h>

#include "ota/bytes.h"
#include "ota/crc32.h"

enum {
    DELIMITER = 0x00,
    CRC_LEN = 4,
};

uint32_t ota_frame_encode(uint8_t type, const uint8_t *body, uint32_t body_len, uint8_t *out) {
    /* The raw frame stands at the end of `out` and is coded to its beginning: by the time a byte is overwritten it has
     * been read, because coding adds no more bytes than lie between the two beginnings. */
    uint32_t raw_len = 1 + body_len + CRC_LEN;
    uint8_t *raw = out + OTA_FRAME_MAX - 1 - raw_len;
    raw[0] = type;
    if (body_len > 0) memcpy(raw + 1, body, body_len);
    ota_store32_le(raw + 1 + body_len, ota_crc32(0, raw, 1 + body_len));

    out[0] = DELIMITER;
    uint32_t coded_len = ota_cobs_encode(raw, raw_len, out + 1);
    out[1 + coded_len] = DELIMITER;
    return coded_len + 2;
}

void ota_frame_decoder_init(struct ota_frame_decoder *decoder) {
    decoder->is_inside = false;
    decoder->len = 0;
    decoder->type = 0;
    decoder->body_len = 0;
    decoder->body = decoder->buffer;
}

/* Whether the coded bytes are a frame; fills type and body. */
static bool decode(struct ota_frame_decoder *decoder) {
    uint8_t *raw = decoder->buffer;
    uint32_t raw_len;
    if (ota_cobs_decode(raw, decoder->len, &raw_len) != OTA_OK) return false;
    if (raw_len < 1 + CRC_LEN || raw_len > OTA_FRAME_RAW_MAX) return false;
    if (ota_load32_le(raw + raw_len - CRC_LEN) != ota_crc32(0, raw, raw_len - CRC_LEN)) return false;
    decoder->type = raw[0];
    decoder->body = raw + 1;
    decoder->body_len = raw_len - 1 - CRC_LEN;
    return true;
}

enum ota_frame_event ota_frame_decoder_push(struct ota_frame_decoder *decoder, uint8_t byte) {
    if (byte != DELIMITER) {
        if (!decoder->is_inside) return OTA_FRAME_TEXT;
        if (decoder->len < sizeof decoder->buffer) {
            decoder->buffer[decoder->len++] = byte;
            return OTA_FRAME_MORE;
        }
        decoder->is_inside = false; /* longer than any frame: the delimiter was a stray one */
        return OTA_FRAME_BAD;
    }
    if (!decoder->is_inside || decoder->len == 0) {
        decoder->is_inside = true;
        decoder->len = 0;
        return OTA_FRAME_MORE;
    }
    /* After a frame text follows; after anything else this delimiter may be the one that begins a frame. */
    bool is_frame = decode(decoder);
    decoder->is_inside = !is_frame;
    decoder->len = 0;
    return is_frame ? OTA_FRAME_DONE : OTA_FRAME_BAD;
}
