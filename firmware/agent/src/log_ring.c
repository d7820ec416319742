/* SPDX-License-Identifier: Apache-2.0 */
#include "log_ring.h"

#include <string.h>

#include "chip/time.h"
#include "outbox.h"

struct line {
    uint8_t level;
    uint8_t len;
    uint32_t time_ms;
    char text[LOG_RING_TEXT_MAX];
};

static struct line ring[LOG_RING_LINES];
static struct outbox outbox = {.items = ring, .item_size = sizeof ring[0]};

void log_ring_add(uint8_t level, const char *text, uint32_t len) {
    if (outbox.count == LOG_RING_LINES) {
        if (outbox.sent == LOG_RING_LINES) return; /* all of them wait for their acknowledgement */
        outbox_drop(&outbox, outbox.sent, 1);
    }
    struct line *line = &ring[outbox.count++];
    if (len > sizeof line->text) len = sizeof line->text;
    line->level = level;
    line->len = (uint8_t)len;
    line->time_ms = chip_time_ms();
    memcpy(line->text, text, len);
}

uint32_t log_ring_lines(struct ota_report_line lines[LOG_RING_LINES], uint32_t now_ms, uint32_t *report_id) {
    uint32_t count = outbox_begin(&outbox, report_id);
    for (uint32_t i = 0; i < count; i++) {
        const struct line *line = &ring[i];
        lines[i].level = line->level;
        lines[i].age_ms = now_ms - line->time_ms;
        lines[i].text = (struct ota_span){(const uint8_t *)line->text, line->len};
    }
    return count;
}

bool log_ring_take_sent(uint32_t count) { return outbox_take_sent(&outbox, count); }

void log_ring_take_acknowledgement(uint32_t report_id) { outbox_take_acknowledgement(&outbox, report_id); }
