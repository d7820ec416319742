/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_CBOR_H
#define OTA_CBOR_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/bytes.h"
#include "ota/status.h"

/* Deterministic CBOR (RFC 8949 section 4.2.1), as much of it as our formats use: integers of 32 bits, byte and text
 * strings, arrays, maps, nil; definite lengths and shortest forms only. Text is not checked to be UTF-8.
 *
 * Every read function returns false, and reads nothing, when the next item is missing, cut short, of another type or in
 * a longer form than needed. The caller knows which error that is. */
struct ota_cbor_reader {
    const uint8_t *untrusted;
    uint32_t len; /* bytes not yet read */
};

void ota_cbor_reader_init(struct ota_cbor_reader *reader, const uint8_t *untrusted, uint32_t len);

OTA_MUST_CHECK bool ota_cbor_read_uint(struct ota_cbor_reader *reader, uint32_t *value);
OTA_MUST_CHECK bool ota_cbor_read_int(struct ota_cbor_reader *reader, int32_t *value);

/* The span points into the bytes being read. */
OTA_MUST_CHECK bool ota_cbor_read_bytes(struct ota_cbor_reader *reader, struct ota_span *bytes);
OTA_MUST_CHECK bool ota_cbor_read_text(struct ota_cbor_reader *reader, struct ota_span *text);

/* The items (in a map: pairs) follow. `count` is not compared with what is left: a reader that asks for each item finds
 * out. */
OTA_MUST_CHECK bool ota_cbor_read_array(struct ota_cbor_reader *reader, uint32_t *count);
OTA_MUST_CHECK bool ota_cbor_read_map(struct ota_cbor_reader *reader, uint32_t *count);
OTA_MUST_CHECK bool ota_cbor_read_nil(struct ota_cbor_reader *reader);

/* The next item is the unsigned integer `key`. */
OTA_MUST_CHECK bool ota_cbor_read_key(struct ota_cbor_reader *reader, uint32_t key);

/* The next item is an unsigned integer from `lowest` to `highest`. */
OTA_MUST_CHECK bool ota_cbor_read_range(struct ota_cbor_reader *reader, uint32_t lowest, uint32_t highest,
                                        uint32_t *value);

/* Everything was read. */
bool ota_cbor_reader_at_end(const struct ota_cbor_reader *reader);

/* Writes into the caller's buffer. What does not fit is not written, and ota_cbor_writer_finish says so. */
struct ota_cbor_writer {
    uint8_t *bytes;
    uint32_t size;
    uint32_t len;
    bool is_full;
};

void ota_cbor_writer_init(struct ota_cbor_writer *writer, uint8_t *bytes, uint32_t size);
void ota_cbor_write_uint(struct ota_cbor_writer *writer, uint32_t value);
void ota_cbor_write_int(struct ota_cbor_writer *writer, int32_t value);
void ota_cbor_write_bytes(struct ota_cbor_writer *writer, const uint8_t *bytes, uint32_t len);
void ota_cbor_write_bytes_head(struct ota_cbor_writer *writer,
                               uint32_t len); /* of a byte string that stands elsewhere */
void ota_cbor_write_text(struct ota_cbor_writer *writer, const char *text, uint32_t len);
void ota_cbor_write_array(struct ota_cbor_writer *writer, uint32_t count);
void ota_cbor_write_map(struct ota_cbor_writer *writer, uint32_t count);
void ota_cbor_write_nil(struct ota_cbor_writer *writer);

/* OTA_OK and the number of bytes, or OTA_ERR_BUFFER. */
OTA_MUST_CHECK enum ota_status ota_cbor_writer_finish(const struct ota_cbor_writer *writer, uint32_t *len);

#endif
