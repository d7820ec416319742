/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <string.h>

#include "agent/agent.h"
#include "check_in.h"
#include "chip/time.h"
#include "outbox.h"

enum { NAME_MAX = 64, DATA_MAX = 255 };

struct event {
    uint8_t name_len;
    uint8_t data_len;
    uint32_t time_ms;
    char name[NAME_MAX];
    char data[DATA_MAX];
};

static struct event events[EVENTS_MAX];
static struct outbox outbox = {.items = events, .item_size = sizeof events[0]};

enum ota_status agent_publish(const char *name, const char *data) {
    size_t name_len = strlen(name);
    size_t data_len = strlen(data);
    if (name_len == 0 || name_len > NAME_MAX || data_len > DATA_MAX || outbox.count == EVENTS_MAX)
        return OTA_ERR_BUFFER;
    struct event *event = &events[outbox.count++];
    event->name_len = (uint8_t)name_len;
    event->data_len = (uint8_t)data_len;
    event->time_ms = chip_time_ms();
    memcpy(event->name, name, name_len);
    memcpy(event->data, data, data_len);
    check_in_with_news();
    return OTA_OK;
}

uint32_t events_list(struct ota_report_event list[EVENTS_MAX], uint32_t now_ms, uint32_t *report_id) {
    uint32_t count = outbox_begin(&outbox, report_id);
    for (uint32_t i = 0; i < count; i++) {
        const struct event *event = &events[i];
        list[i].name = (struct ota_span){(const uint8_t *)event->name, event->name_len};
        list[i].data = (struct ota_span){(const uint8_t *)event->data, event->data_len};
        list[i].age_ms = now_ms - event->time_ms;
    }
    return count;
}

bool events_take_sent(uint32_t count) { return outbox_take_sent(&outbox, count); }

void events_take_acknowledgement(uint32_t report_id) { outbox_take_acknowledgement(&outbox, report_id); }

bool events_are_waiting(void) { return outbox.count > 0; }
