/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_STATUS_H
#define OTA_STATUS_H

/* Why an operation stopped. Values are written to the boot log and reported to the server: never renumber. */
enum ota_status {
    OTA_OK = 0,

    /* flash */
    OTA_ERR_FLASH_PROGRAM = -1, /* the chip refused, or what reads back differs */
    OTA_ERR_FLASH_ERASE = -2,
    OTA_ERR_FLASH_RANGE = -3, /* outside the memory the port was made for */

    /* image: docs/spec/image.md section 6 */
    OTA_ERR_IMAGE_LENGTH = -10,
    OTA_ERR_IMAGE_FORMAT = -11,
    OTA_ERR_MANIFEST = -12,
    OTA_ERR_IMAGE_MISMATCH = -13, /* prefix, suffix or PRODUCT_DATA contradict the manifest */
    OTA_ERR_RELOC = -14,
    OTA_ERR_HASH = -15,
    OTA_ERR_PRODUCT = -16,
    OTA_ERR_PLATFORM = -17,
    OTA_ERR_HARDWARE = -18,
    OTA_ERR_BOOTLOADER_TOO_OLD = -19,
    OTA_ERR_SECURITY_COUNTER = -20,
    OTA_ERR_SIGNATURE = -21, /* a signature by a known key does not hold */
    OTA_ERR_SIGNERS = -22,   /* too few valid signatures */
    OTA_ERR_IDENTITY = -23,  /* another image than the one that was pinned or announced */
    OTA_ERR_SLOT = -24,      /* a record names a slot that cannot be meant */

    /* keys and provisioning: docs/spec/boot.md sections 2 and 3 */
    OTA_ERR_KEYSET = -30,
    OTA_ERR_KEYSET_OLD = -31, /* not newer than the current one */
    OTA_ERR_IDENTITY_PAGE = -32,

    /* boot log and record store: docs/spec/boot.md sections 4 and 6 */
    OTA_ERR_LOG_FULL = -40,
    OTA_ERR_STORE_FULL = -41, /* the owner's quota */
    OTA_ERR_NOT_FOUND = -42,
    OTA_ERR_BUFFER = -43, /* the caller's buffer is too small */

    /* patch: docs/spec/patch.md */
    OTA_ERR_PATCH_HEADER = -50,
    OTA_ERR_PATCH_PROFILE = -51,
    OTA_ERR_PATCH_BASE = -52,  /* made for another base image */
    OTA_ERR_PATCH_RANGE = -53, /* an operation leaves its image, or makes no progress */
    OTA_ERR_PATCH_TRUNCATED = -54,
    OTA_ERR_PATCH_TRAILING = -55, /* bytes after the end */
    OTA_ERR_PATCH_SIZE = -56,     /* target larger than announced or than the slot */
    OTA_ERR_PATCH_DIGEST = -57,   /* the bytes received are not the patch that was announced */

    /* link and agent: docs/spec/serial_link.md */
    OTA_ERR_FRAME = -60,
    OTA_ERR_MESSAGE = -61,
    OTA_ERR_BUSY = -62,
    OTA_ERR_STATE = -63, /* not now: nothing to confirm, or an update is still unconfirmed */
    OTA_ERR_NOT_ALLOWED = -64,
    OTA_ERR_TIMEOUT = -65,
};

/* Ignoring a status does not compile. */
#define OTA_MUST_CHECK __attribute__((warn_unused_result))

/* The one flow macro: leave with the status unless it is OTA_OK. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        enum ota_status try_status_ = (expression);                                                                    \
        if (try_status_ != OTA_OK) return try_status_;                                                                 \
    } while (0)

#endif
