/* SPDX-License-Identifier: Apache-2.0 */
#include "log_ring.h"

#include <string.h>

#include "chip/time.h"
#include "counters.h"

struct line {
    uint8_t level;
    uint8_t len;
    uint32_t time_ms;
    char text[LOG_RING_TEXT_MAX];
};

static struct {
    struct line lines[LOG_RING_LINES]; /* oldest first */
    uint32_t count;
    bool has_id;
    uint32_t report_id;
    uint32_t sent; /* the first so many were sent under it; 0: nothing was yet */
} ring;

static void drop(uint32_t at, uint32_t count) {
    memmove(&ring.lines[at], &ring.lines[at + count], (ring.count - at - count) * sizeof ring.lines[0]);
    ring.count -= count;
}

void log_ring_add(uint8_t level, const char *text, uint32_t len) {
    if (ring.count == LOG_RING_LINES) {
        if (ring.sent == LOG_RING_LINES) return; /* all of them wait for their acknowledgement */
        drop(ring.sent, 1);
    }
    struct line *line = &ring.lines[ring.count++];
    if (len > sizeof line->text) len = sizeof line->text;
    line->level = level;
    line->len = (uint8_t)len;
    line->time_ms = chip_time_ms();
    memcpy(line->text, text, len);
}

uint32_t log_ring_lines(struct ota_report_line lines[LOG_RING_LINES], uint32_t now_ms, uint32_t *report_id) {
    if (ring.count == 0) return 0;
    if (!ring.has_id) ring.has_id = counters_new_report_id(&ring.report_id) == OTA_OK;
    if (!ring.has_id) return 0;
    *report_id = ring.report_id;
    uint32_t count = ring.sent != 0 ? ring.sent : ring.count;
    for (uint32_t i = 0; i < count; i++) {
        const struct line *line = &ring.lines[i];
        lines[i].level = line->level;
        lines[i].age_ms = now_ms - line->time_ms;
        lines[i].text = (struct ota_span){(const uint8_t *)line->text, line->len};
    }
    return count;
}

bool log_ring_take_sent(uint32_t count) {
    if (ring.sent != 0) return count == ring.sent;
    ring.sent = count;
    return true;
}

void log_ring_take_acknowledgement(uint32_t report_id) {
    if (!ring.has_id || report_id != ring.report_id || ring.sent == 0) return;
    drop(0, ring.sent);
    ring.sent = 0;
    ring.has_id = false;
}
