/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"
#include "device.h"
#include "ota/store.h"

enum ota_status agent_store_read(uint8_t key, void *out, uint32_t room, uint32_t *len) {
    if (!device.has_store) return OTA_ERR_STATE;
    return ota_store_read(&device.store, OTA_STORE_PRODUCT, key, out, room, len);
}

enum ota_status agent_store_write(uint8_t key, const void *value, uint32_t len) {
    if (!device.has_store) return OTA_ERR_STATE;
    return ota_store_write(&device.store, OTA_STORE_PRODUCT, key, value, len);
}
