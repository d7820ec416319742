/* SPDX-License-Identifier: Apache-2.0 */
#include "message_map.h"

enum {
    DEPTH_MAX = 6, /* arrays and maps in each other, the message's own map included */
    CBOR_FALSE = 0xF4,
    CBOR_TRUE = 0xF5,
};

bool message_map_begin(struct message_map *map, struct ota_cbor_reader *reader) {
    map->reader = reader;
    map->lowest_key = 0;
    map->is_past_last_key = false;
    return ota_cbor_read_map(reader, &map->left);
}

bool message_map_next(struct message_map *map, uint32_t *key) {
    if (map->is_past_last_key || !ota_cbor_read_range(map->reader, map->lowest_key, UINT32_MAX, key)) return false;
    map->left--;
    map->is_past_last_key = *key == UINT32_MAX;
    map->lowest_key = *key + 1;
    return true;
}

static bool read_byte(struct ota_cbor_reader *reader, uint8_t value) {
    if (reader->len == 0 || reader->untrusted[0] != value) return false;
    reader->untrusted++;
    reader->len--;
    return true;
}

bool message_read_true(struct ota_cbor_reader *reader) { return read_byte(reader, CBOR_TRUE); }

static bool skip_scalar(struct ota_cbor_reader *reader) {
    uint32_t number;
    int32_t negative;
    struct ota_span string;
    return ota_cbor_read_uint(reader, &number) || ota_cbor_read_int(reader, &negative) ||
           ota_cbor_read_bytes(reader, &string) || ota_cbor_read_text(reader, &string) || ota_cbor_read_nil(reader) ||
           read_byte(reader, CBOR_FALSE) || read_byte(reader, CBOR_TRUE);
}

/* The containers that are open, innermost last. An array is a map without keys. */
struct level {
    struct message_map map;
    bool is_map;
};

static bool open_container(struct ota_cbor_reader *reader, struct level *level) {
    level->is_map = message_map_begin(&level->map, reader);
    return level->is_map || ota_cbor_read_array(reader, &level->map.left);
}

bool message_skip(struct ota_cbor_reader *reader) {
    struct level levels[DEPTH_MAX - 1];
    uint32_t depth = 0;
    do {
        if (!skip_scalar(reader)) {
            if (depth == DEPTH_MAX - 1 || !open_container(reader, &levels[depth])) return false;
            depth++;
        }
        while (depth > 0 && levels[depth - 1].map.left == 0) depth--;
        if (depth > 0) {
            struct level *level = &levels[depth - 1];
            uint32_t key;
            if (!level->is_map) {
                level->map.left--;
            } else if (!message_map_next(&level->map, &key)) {
                return false;
            }
        }
    } while (depth > 0);
    return true;
}
