/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/identity_page.h"

#include <monocypher.h>
#include <string.h>

#include "commit.h"
#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/ed25519.h"
#include "ota/manifest.h"

enum {
    PAGE_COPIES = 2,
    PAGE_MAGIC = 0x4449544F,
    PAGE_FORMAT = 1,
    AT_FORMAT = 4,
    AT_PRODUCT = 6,
    AT_HW_REV = 8,
    AT_LIFECYCLE = 10,
    AT_ROOT_THRESHOLD = 11,
    AT_DEVICE_ID = 12,
    AT_ROOT_COUNT = 24,
    AT_ROOTS = 28,
    AT_SEED = 124,
    AT_PUBLIC_KEY = 156,
    AT_CRC = 504,
    AT_COMMIT = 508,
    KEYS_LEN = 2 * OTA_ED25519_KEY_LEN, /* private and public key */
    ERASED = 0xFF,
};

/* What a factory writes: product, hardware revision, lifecycle and roots. */
static bool parse_product(const uint8_t *bytes, struct ota_identity_page *page) {
    if (ota_load32_le(bytes) != PAGE_MAGIC || ota_load16_le(bytes + AT_FORMAT) != PAGE_FORMAT) return false;
    page->product_id = ota_load16_le(bytes + AT_PRODUCT);
    page->hw_rev = ota_load16_le(bytes + AT_HW_REV);
    page->lifecycle = bytes[AT_LIFECYCLE];
    page->roots.threshold = bytes[AT_ROOT_THRESHOLD];
    page->roots.count = bytes[AT_ROOT_COUNT];
    if (page->product_id < 1 || page->product_id > OTA_ID_MAX) return false;
    if (page->lifecycle != OTA_LIFECYCLE_DEVELOPMENT && page->lifecycle != OTA_LIFECYCLE_PRODUCTION) return false;
    if (page->roots.count < 1 || page->roots.count > OTA_ROOTS_MAX) return false;
    if (page->roots.threshold < 1 || page->roots.threshold > page->roots.count) return false;
    memcpy(page->roots.keys, bytes + AT_ROOTS, sizeof page->roots.keys);
    return true;
}

static bool parse(const uint8_t *bytes, const uint8_t chip_id[OTA_DEVICE_ID_LEN], struct ota_identity_page *page) {
    if (ota_load32_le(bytes + AT_COMMIT) != OTA_COMMIT) return false;
    if (ota_load32_le(bytes + AT_CRC) != ota_crc32(0, bytes, AT_CRC)) return false;
    if (!parse_product(bytes, page)) return false;
    bool is_for_any_chip = ota_bytes_are(bytes + AT_DEVICE_ID, OTA_DEVICE_ID_LEN, 0);
    if (is_for_any_chip ? page->lifecycle != OTA_LIFECYCLE_DEVELOPMENT
                        : memcmp(bytes + AT_DEVICE_ID, chip_id, OTA_DEVICE_ID_LEN) != 0) {
        return false;
    }
    memcpy(page->device_id, chip_id, sizeof page->device_id);
    memcpy(page->device_seed, bytes + AT_SEED, sizeof page->device_seed);
    memcpy(page->device_public_key, bytes + AT_PUBLIC_KEY, sizeof page->device_public_key);
    return true;
}

enum ota_status ota_identity_page_read(const struct ota_flash *flash, const uint8_t chip_id[OTA_DEVICE_ID_LEN],
                                       struct ota_identity_page *page) {
    uint8_t bytes[OTA_IDENTITY_PAGE_LEN];
    enum ota_status status = OTA_ERR_IDENTITY_PAGE;
    for (uint32_t copy = 0; copy < PAGE_COPIES && status == OTA_ERR_IDENTITY_PAGE; copy++) {
        enum ota_status read =
            flash->read(flash->ctx, OTA_IDENTITY_ADDR + copy * OTA_IDENTITY_PAGE_LEN, bytes, sizeof bytes);
        if (read != OTA_OK) {
            status = read;
        } else if (parse(bytes, chip_id, page)) {
            status = OTA_OK;
        }
    }
    crypto_wipe(bytes, sizeof bytes); /* holds the device's secret */
    return status;
}

static bool is_stub(const uint8_t *bytes) {
    struct ota_identity_page page;
    return parse_product(bytes, &page) && ota_bytes_are(bytes + AT_DEVICE_ID, OTA_DEVICE_ID_LEN, ERASED) &&
           ota_bytes_are(bytes + AT_SEED, KEYS_LEN, ERASED) &&
           ota_bytes_are(bytes + AT_CRC, OTA_IDENTITY_PAGE_LEN - AT_CRC, ERASED);
}

/* cut anywhere: this copy has no COMMIT and is neither page nor stub; the other copy counts */
static enum ota_status program_copy(const struct ota_flash *flash, uint32_t addr, const uint8_t *bytes) {
    TRY(flash->program(flash->ctx, addr + AT_DEVICE_ID, bytes + AT_DEVICE_ID, OTA_DEVICE_ID_LEN));
    TRY(flash->program(flash->ctx, addr + AT_SEED, bytes + AT_SEED, KEYS_LEN));
    TRY(flash->program(flash->ctx, addr + AT_CRC, bytes + AT_CRC, 4));
    return flash->program(flash->ctx, addr + AT_COMMIT, bytes + AT_COMMIT, 4);
}

static enum ota_status complete_copy(const struct ota_flash *flash, uint32_t addr, uint8_t bytes[OTA_IDENTITY_PAGE_LEN],
                                     const uint8_t chip_id[OTA_DEVICE_ID_LEN],
                                     const uint8_t seed[OTA_ED25519_KEY_LEN]) {
    TRY(flash->read(flash->ctx, addr, bytes, OTA_IDENTITY_PAGE_LEN));
    if (!is_stub(bytes)) return OTA_ERR_IDENTITY_PAGE;
    memcpy(bytes + AT_DEVICE_ID, chip_id, OTA_DEVICE_ID_LEN);
    memcpy(bytes + AT_SEED, seed, OTA_ED25519_KEY_LEN);
    ota_ed25519_public_key(seed, bytes + AT_PUBLIC_KEY);
    ota_store32_le(bytes + AT_CRC, ota_crc32(0, bytes, AT_CRC));
    ota_store32_le(bytes + AT_COMMIT, OTA_COMMIT);
    return program_copy(flash, addr, bytes);
}

enum ota_status ota_identity_page_complete(const struct ota_flash *flash, const uint8_t chip_id[OTA_DEVICE_ID_LEN],
                                           const uint8_t seed[OTA_ED25519_KEY_LEN]) {
    uint8_t bytes[OTA_IDENTITY_PAGE_LEN];
    enum ota_status best = OTA_ERR_IDENTITY_PAGE;
    for (uint32_t copy = 0; copy < PAGE_COPIES; copy++) {
        uint32_t addr = OTA_IDENTITY_ADDR + copy * OTA_IDENTITY_PAGE_LEN;
        enum ota_status status = complete_copy(flash, addr, bytes, chip_id, seed);
        if (best == OTA_ERR_IDENTITY_PAGE || status == OTA_OK) best = status;
    }
    crypto_wipe(bytes, sizeof bytes); /* holds the device's secret */
    return best;
}
