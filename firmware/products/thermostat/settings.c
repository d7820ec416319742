/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "agent/agent.h"
#include "ota/bytes.h"

enum {
    KEY_SET_POINT = 1, /* i16, hundredths of a degree */
    KEY_SCHEDULE = 2,  /* schedule_to_bytes(); one zero byte: none */
    KEY_AWAY = 3,      /* u8, 0 or 1 */
    DEFAULT_SET_POINT_CC = 2000,
};

static bool store(uint8_t key, const uint8_t *bytes, uint32_t len) {
    enum ota_status status = agent_store_write(key, bytes, len);
    if (status != OTA_OK) agent_log(AGENT_ERROR, "setting %u not stored, status %d", key, status);
    return status == OTA_OK;
}

void settings_load(struct settings *settings) {
    uint8_t bytes[SCHEDULE_BYTES_MAX];
    uint32_t len;
    settings->set_point_cc = DEFAULT_SET_POINT_CC;
    if (agent_store_read(KEY_SET_POINT, bytes, sizeof bytes, &len) == OTA_OK && len == 2) {
        settings->set_point_cc = (int16_t)ota_load16_le(bytes);
    }
    settings->schedule.count = 0;
    if (agent_store_read(KEY_SCHEDULE, bytes, sizeof bytes, &len) == OTA_OK && len > 1) {
        if (!schedule_from_bytes(&settings->schedule, bytes, len))
            agent_log(AGENT_WARN, "stored schedule is not readable");
    }
}

bool settings_save_set_point(const struct settings *settings) {
    uint8_t bytes[2];
    ota_store16_le(bytes, (uint16_t)settings->set_point_cc);
    return store(KEY_SET_POINT, bytes, sizeof bytes);
}

bool settings_save_schedule(const struct settings *settings) {
    uint8_t bytes[SCHEDULE_BYTES_MAX] = {0};
    uint32_t len = schedule_to_bytes(&settings->schedule, bytes);
    return store(KEY_SCHEDULE, bytes, len > 0 ? len : 1);
}

bool settings_load_away(void) {
    uint8_t is_away;
    uint32_t len;
    return agent_store_read(KEY_AWAY, &is_away, 1, &len) == OTA_OK && len == 1 && is_away == 1;
}

bool settings_save_away(bool is_away) {
    uint8_t byte = is_away ? 1 : 0;
    return store(KEY_AWAY, &byte, 1);
}
