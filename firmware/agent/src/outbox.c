/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <string.h>

#include "counters.h"

void outbox_drop(struct outbox *outbox, uint32_t at, uint32_t count) {
    uint8_t *items = outbox->items;
    memmove(items + at * outbox->item_size, items + (at + count) * outbox->item_size,
            (outbox->count - at - count) * outbox->item_size);
    outbox->count -= count;
}

uint32_t outbox_begin(struct outbox *outbox, uint32_t *report_id) {
    if (outbox->count == 0) return 0;
    if (!outbox->has_id) outbox->has_id = counters_new_report_id(&outbox->report_id) == OTA_OK;
    if (!outbox->has_id) return 0;
    *report_id = outbox->report_id;
    return outbox->sent != 0 ? outbox->sent : outbox->count;
}

bool outbox_take_sent(struct outbox *outbox, uint32_t count) {
    if (outbox->sent != 0) return count == outbox->sent;
    outbox->sent = count;
    return true;
}

void outbox_take_acknowledgement(struct outbox *outbox, uint32_t report_id) {
    if (!outbox->has_id || report_id != outbox->report_id || outbox->sent == 0) return;
    outbox_drop(outbox, 0, outbox->sent);
    outbox->sent = 0;
    outbox->has_id = false;
}
