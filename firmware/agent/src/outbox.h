/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_OUTBOX_H
#define AGENT_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

/* Items that are told to the server under a report id, oldest first, until it has acknowledged that. What was sent once
 * is repeated as it was: nothing is added to it or taken from it. */
struct outbox {
    void *items;
    uint32_t item_size;
    uint32_t count;
    bool has_id;
    uint32_t report_id;
    uint32_t sent; /* the first so many were sent under it; 0: nothing was yet */
};

/* How many to send now, and under which id; 0 when there are none, or no id can be had. */
uint32_t outbox_begin(struct outbox *outbox, uint32_t *report_id);

/* So many of them fitted; false: they are not what was sent before, so none may be sent. */
bool outbox_take_sent(struct outbox *outbox, uint32_t count);

void outbox_take_acknowledgement(struct outbox *outbox, uint32_t report_id);

/* Takes items out. */
void outbox_drop(struct outbox *outbox, uint32_t at, uint32_t count);

#endif
