/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_STORE_H
#define OTA_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/flash.h"
#include "ota/status.h"

/* Record store in sectors 4 and 11: docs/spec/boot.md section 6. */

enum ota_store_owner {
    OTA_STORE_SETTINGS = 1,
    OTA_STORE_PRODUCT = 2,
    OTA_STORE_CRASH = 3,
    OTA_STORE_DOWNLOAD = 4,
};

enum {
    OTA_STORE_HEAD_LEN = 16,
    OTA_STORE_DOWNLOAD_QUOTA = 12 * 1024, /* docs/spec/boot.md section 6 has all quotas */
};

/* Owned by the caller, filled by mount; nothing in it needs saving. */
struct ota_store {
    const struct ota_flash *flash;
    uint32_t sector; /* the ruling one; 0: there is none yet */
    uint32_t generation;
    uint32_t end;      /* offset in the sector where the next record goes */
    bool must_compact; /* nothing can be written behind `end` */
};

/* An empty or broken store is no error: it holds nothing. */
OTA_MUST_CHECK enum ota_status ota_store_mount(struct ota_store *store, const struct ota_flash *flash);

/* Copies the value to `out` and its length to `len`. OTA_ERR_NOT_FOUND; OTA_ERR_BUFFER when `size` is too small (`len`
 * is set). */
OTA_MUST_CHECK enum ota_status ota_store_read(const struct ota_store *store, uint8_t owner, uint8_t key, void *out,
                                              uint32_t size, uint32_t *len);

/* Stores a value of 1 to 65,535 bytes. OTA_ERR_STORE_FULL beyond the owner's quota, and for owners without one.
 * A power cut leaves the old value or the new one. */
OTA_MUST_CHECK enum ota_status ota_store_write(struct ota_store *store, uint8_t owner, uint8_t key, const void *bytes,
                                               uint32_t len);

/* OTA_OK also when there was nothing. */
OTA_MUST_CHECK enum ota_status ota_store_remove(struct ota_store *store, uint8_t owner, uint8_t key);

/* Bytes that count against the owner's quota: value + 16 for each of its records. */
OTA_MUST_CHECK enum ota_status ota_store_live_bytes(const struct ota_store *store, uint8_t owner, uint32_t *live_bytes);

/* 0 for an owner that may not write. */
uint32_t ota_store_quota(uint8_t owner);

#endif
