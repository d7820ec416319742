/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of bytes. */
#include <stdlib.h>
#include "emu.h"

bool emu_bytes_push(struct bytes *b, const uint8_t *data, size_t len)
{
    if (b->start == b->end)
        b->start = b->end = 0;
    if (b->start > 0 && b->end + len > b->room) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->end + len > b->room) {
        size_t room = 2 * (b->end + len) + 256;
        uint8_t *grown = realloc(b->data, room);
        if (grown == NULL)
            return false;
        b->data = grown;
        b->room = room;
    }
    memcpy(b->data + b->end, data, len);
    b->end += len;
    return true;
}

size_t emu_bytes_take(struct bytes *b, uint8_t *out, size_t room)
{
    size_t n = b->end - b->start;
    if (n > room)
        n = room;
    if (n)
        memcpy(out, b->data + b->start, n);
    b->start += n;
    return n;
}

void emu_bytes_clear(struct bytes *b) { b->start = b->end = 0; }
