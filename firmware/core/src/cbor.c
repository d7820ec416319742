/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/cbor.h"

#include <string.h>

/* Major types, RFC 8949 section 3.1. */
enum cbor_major {
    CBOR_UINT = 0,
    CBOR_NEGATIVE = 1,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
};

enum { CBOR_NIL = 0xF6 };

void ota_cbor_reader_init(struct ota_cbor_reader *reader, const uint8_t *untrusted, uint32_t len) {
    reader->untrusted = untrusted;
    reader->len = len;
}

static void advance(struct ota_cbor_reader *reader, uint32_t len) {
    reader->untrusted += len;
    reader->len -= len;
}

/* Looks at the next item's head: its argument, and the head's length; 0 when it is not a head of this major type in its
 * shortest form. */
static uint32_t peek_head(const struct ota_cbor_reader *reader, enum cbor_major major, uint32_t *argument) {
    const uint8_t *p = reader->untrusted;
    if (reader->len == 0 || p[0] >> 5 != (uint8_t)major) return 0;
    uint32_t info = p[0] & 31;
    if (info < 24) {
        *argument = info;
        return 1;
    }
    if (info > 26) return 0; /* 64 bits, reserved or indefinite */
    uint32_t width = 1u << (info - 24);
    if (reader->len - 1 < width) return 0;
    uint32_t value = 0;
    for (uint32_t i = 1; i <= width; i++) value = value << 8 | p[i];
    if (value < (width == 1 ? 24u : 1u << (4 * width))) return 0; /* fits a shorter form */
    *argument = value;
    return 1 + width;
}

static bool read_head(struct ota_cbor_reader *reader, enum cbor_major major, uint32_t *argument) {
    uint32_t head_len = peek_head(reader, major, argument);
    advance(reader, head_len);
    return head_len != 0;
}

static bool read_string(struct ota_cbor_reader *reader, enum cbor_major major, struct ota_span *string) {
    uint32_t len;
    uint32_t head_len = peek_head(reader, major, &len);
    if (head_len == 0 || len > reader->len - head_len) return false;
    advance(reader, head_len);
    string->bytes = reader->untrusted;
    string->len = len;
    advance(reader, len);
    return true;
}

bool ota_cbor_read_uint(struct ota_cbor_reader *reader, uint32_t *value) { return read_head(reader, CBOR_UINT, value); }

bool ota_cbor_read_int(struct ota_cbor_reader *reader, int32_t *value) {
    uint32_t argument;
    bool is_negative = false;
    uint32_t head_len = peek_head(reader, CBOR_UINT, &argument);
    if (head_len == 0) {
        head_len = peek_head(reader, CBOR_NEGATIVE, &argument);
        is_negative = true;
    }
    if (head_len == 0 || argument > INT32_MAX) return false;
    advance(reader, head_len);
    *value = is_negative ? -1 - (int32_t)argument : (int32_t)argument;
    return true;
}

bool ota_cbor_read_bytes(struct ota_cbor_reader *reader, struct ota_span *bytes) {
    return read_string(reader, CBOR_BYTES, bytes);
}

bool ota_cbor_read_text(struct ota_cbor_reader *reader, struct ota_span *text) {
    return read_string(reader, CBOR_TEXT, text);
}

bool ota_cbor_read_array(struct ota_cbor_reader *reader, uint32_t *count) {
    return read_head(reader, CBOR_ARRAY, count);
}

bool ota_cbor_read_map(struct ota_cbor_reader *reader, uint32_t *count) { return read_head(reader, CBOR_MAP, count); }

bool ota_cbor_read_nil(struct ota_cbor_reader *reader) {
    if (reader->len == 0 || reader->untrusted[0] != CBOR_NIL) return false;
    advance(reader, 1);
    return true;
}

bool ota_cbor_read_key(struct ota_cbor_reader *reader, uint32_t key) {
    uint32_t value;
    return ota_cbor_read_range(reader, key, key, &value);
}

bool ota_cbor_read_range(struct ota_cbor_reader *reader, uint32_t lowest, uint32_t highest, uint32_t *value) {
    uint32_t argument;
    uint32_t head_len = peek_head(reader, CBOR_UINT, &argument);
    if (head_len == 0 || argument < lowest || argument > highest) return false;
    advance(reader, head_len);
    *value = argument;
    return true;
}

bool ota_cbor_reader_at_end(const struct ota_cbor_reader *reader) { return reader->len == 0; }

void ota_cbor_writer_init(struct ota_cbor_writer *writer, uint8_t *bytes, uint32_t size) {
    writer->bytes = bytes;
    writer->size = size;
    writer->len = 0;
    writer->is_full = false;
}

/* Nothing is written behind a hole: once something did not fit, nothing fits. */
static void append(struct ota_cbor_writer *writer, const void *bytes, uint32_t len) {
    if (writer->is_full || len > writer->size - writer->len) {
        writer->is_full = true;
        return;
    }
    if (len > 0) memcpy(writer->bytes + writer->len, bytes, len);
    writer->len += len;
}

static void write_head(struct ota_cbor_writer *writer, enum cbor_major major, uint32_t argument) {
    uint8_t head[5];
    uint32_t first = (uint32_t)major << 5;
    if (argument < 24) {
        head[0] = (uint8_t)(first | argument);
        append(writer, head, 1);
    } else if (argument < 0x100) {
        head[0] = (uint8_t)(first | 24);
        head[1] = (uint8_t)argument;
        append(writer, head, 2);
    } else if (argument < 0x10000) {
        head[0] = (uint8_t)(first | 25);
        head[1] = (uint8_t)(argument >> 8);
        head[2] = (uint8_t)argument;
        append(writer, head, 3);
    } else {
        head[0] = (uint8_t)(first | 26);
        ota_store32_be(head + 1, argument);
        append(writer, head, 5);
    }
}

void ota_cbor_write_uint(struct ota_cbor_writer *writer, uint32_t value) { write_head(writer, CBOR_UINT, value); }

void ota_cbor_write_int(struct ota_cbor_writer *writer, int32_t value) {
    if (value < 0) {
        write_head(writer, CBOR_NEGATIVE, (uint32_t)(-1 - value));
    } else {
        write_head(writer, CBOR_UINT, (uint32_t)value);
    }
}

void ota_cbor_write_bytes(struct ota_cbor_writer *writer, const uint8_t *bytes, uint32_t len) {
    write_head(writer, CBOR_BYTES, len);
    append(writer, bytes, len);
}

void ota_cbor_write_bytes_head(struct ota_cbor_writer *writer, uint32_t len) { write_head(writer, CBOR_BYTES, len); }

void ota_cbor_write_text(struct ota_cbor_writer *writer, const char *text, uint32_t len) {
    write_head(writer, CBOR_TEXT, len);
    append(writer, text, len);
}

void ota_cbor_write_array(struct ota_cbor_writer *writer, uint32_t count) { write_head(writer, CBOR_ARRAY, count); }

void ota_cbor_write_map(struct ota_cbor_writer *writer, uint32_t count) { write_head(writer, CBOR_MAP, count); }

void ota_cbor_write_nil(struct ota_cbor_writer *writer) {
    static const uint8_t nil = CBOR_NIL;
    append(writer, &nil, 1);
}

enum ota_status ota_cbor_writer_finish(const struct ota_cbor_writer *writer, uint32_t *len) {
    if (writer->is_full) return OTA_ERR_BUFFER;
    *len = writer->len;
    return OTA_OK;
}
