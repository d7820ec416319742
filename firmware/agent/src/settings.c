/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <string.h>

#include "agent/agent.h"
#include "device.h"
#include "ota/bytes.h"
#include "store_keys.h"
#include "trial.h"

/* A value in the store: u8 kind, then i32 or the text. */
enum {
    KIND_NUMBER = 0,
    KIND_TEXT = 1,
    NUMBER_LEN = 5,
    VALUE_MAX = 1 + OTA_ANSWER_SETTING_TEXT_MAX,
};

static uint32_t encode(const struct ota_answer_setting *setting, uint8_t value[VALUE_MAX]) {
    if (!setting->is_text) {
        value[0] = KIND_NUMBER;
        ota_store32_le(value + 1, (uint32_t)setting->value);
        return NUMBER_LEN;
    }
    value[0] = KIND_TEXT;
    if (setting->text.len > 0) memcpy(value + 1, setting->text.bytes, setting->text.len);
    return 1 + setting->text.len;
}

static enum ota_status store(const struct ota_answer_setting *setting) {
    uint8_t value[VALUE_MAX];
    uint8_t stored[VALUE_MAX];
    uint32_t stored_len;
    if (!device.has_store) return OTA_ERR_STATE;
    if (setting->key > STORE_KEY_LAST_SETTING) return OTA_ERR_NOT_FOUND;
    uint8_t key = (uint8_t)setting->key;
    uint32_t len = encode(setting, value);
    enum ota_status status = ota_store_read(&device.store, OTA_STORE_SETTINGS, key, stored, sizeof stored, &stored_len);
    if (status == OTA_OK && stored_len == len && memcmp(stored, value, len) == 0) return OTA_OK;
    trial_feed_watchdog(); /* the store may have to be compacted */
    /* cut: the setting before, until the server sends this one again */
    return ota_store_write(&device.store, OTA_STORE_SETTINGS, key, value, len);
}

void settings_take(const struct ota_answer_setting *settings, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        enum ota_status status = store(&settings[i]);
        if (status == OTA_OK) continue;
        agent_log(AGENT_WARN, "setting %lu not stored, status %d", (unsigned long)settings[i].key, status);
    }
}

uint32_t settings_number(uint8_t key, uint32_t lowest, uint32_t highest, uint32_t otherwise) {
    uint8_t value[NUMBER_LEN];
    uint32_t len;
    if (!device.has_store) return otherwise;
    if (ota_store_read(&device.store, OTA_STORE_SETTINGS, key, value, sizeof value, &len) != OTA_OK) return otherwise;
    if (len != sizeof value || value[0] != KIND_NUMBER) return otherwise;
    uint32_t number = ota_load32_le(value + 1);
    return number >= lowest && number <= highest ? number : otherwise;
}
