/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MESSAGE_MAP_H
#define MESSAGE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/cbor.h"

/* Maps of the device protocol: unsigned keys, rising; a key that is not known is passed over with its value
 * (docs/spec/device_protocol.md, "Encoding"). */
struct message_map {
    struct ota_cbor_reader *reader;
    uint32_t left; /* pairs */
    uint32_t lowest_key;
    bool is_past_last_key; /* 2^32 - 1 was read: no key may follow */
};

/* Each returns false when the bytes are not of the form. */
OTA_MUST_CHECK bool message_map_begin(struct message_map *map, struct ota_cbor_reader *reader);

/* Before every pair while `left` is above 0; the caller then reads or skips the value. */
OTA_MUST_CHECK bool message_map_next(struct message_map *map, uint32_t *key);

/* Passes over one item of any type that the protocol uses. */
OTA_MUST_CHECK bool message_skip(struct ota_cbor_reader *reader);

/* Reads `true`. */
OTA_MUST_CHECK bool message_read_true(struct ota_cbor_reader *reader);

#endif
