/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/delta.h"

#include <string.h>

#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/image.h"

enum {
    EXT_ENTRY_HEAD_LEN = 4, /* the manifest is the extension area's first entry */
    BODY_HASH_OFF_MAX = EXT_ENTRY_HEAD_LEN + OTA_MANIFEST_MAX_LEN - 32,
};

/* Where the fields are: docs/spec/patch.md section 2. */
enum {
    AT_FORMAT = 4,
    AT_PROFILE = 5,
    AT_KIND = 6,
    AT_BODY_HASH_OFF = 7,
    AT_LOAD_BASE = 8,
    AT_BASE_LEN = 12,
    AT_BASE_RELOC_START = 16,
    AT_TARGET_LEN = 20,
    AT_TARGET_RELOC_START = 24,
    AT_BASE_IDENTITY = 28,
    AT_TARGET_IDENTITY = 44,
    AT_CRC = 60,
    FORMAT = 1,
};

static const uint8_t MAGIC[4] = {'M', 'U', 'S', 'P'};

static bool image_layout_holds(uint32_t len, uint32_t reloc_start) {
    if (len % 4 != 0 || reloc_start % 4 != 0) return false;
    if (len < OTA_IMAGE_MIN_LEN) return false;
    return reloc_start >= OTA_IMAGE_BODY_AT && reloc_start < len - OTA_IMAGE_TAIL_LEN;
}

static bool image_header_holds(const struct ota_delta_header *header) {
    if (!image_layout_holds(header->target_len, header->target_reloc_start)) return false;
    if (header->body_hash_off < EXT_ENTRY_HEAD_LEN || header->body_hash_off > BODY_HASH_OFF_MAX) return false;
    if (header->load_base % 4 != 0) return false;
    if (header->base_len != 0) return image_layout_holds(header->base_len, header->base_reloc_start);
    return header->base_reloc_start == 0;
}

static bool raw_header_holds(const struct ota_delta_header *header) {
    return header->body_hash_off == 0 && header->base_reloc_start == 0 && header->target_reloc_start == 0;
}

enum ota_status ota_delta_header_parse(const uint8_t *untrusted, uint32_t len, struct ota_delta_header *out) {
    if (len < OTA_DELTA_HEADER_SIZE) return OTA_ERR_PATCH_TRUNCATED;
    if (memcmp(untrusted, MAGIC, sizeof MAGIC) != 0) return OTA_ERR_PATCH_HEADER;
    if (ota_crc32(0, untrusted, AT_CRC) != ota_load32_le(untrusted + AT_CRC)) return OTA_ERR_PATCH_HEADER;
    if (untrusted[AT_FORMAT] != FORMAT) return OTA_ERR_PATCH_HEADER;

    struct ota_delta_header header = {
        .profile = untrusted[AT_PROFILE],
        .kind = untrusted[AT_KIND],
        .body_hash_off = untrusted[AT_BODY_HASH_OFF],
        .base_len = ota_load32_le(untrusted + AT_BASE_LEN),
        .base_reloc_start = ota_load32_le(untrusted + AT_BASE_RELOC_START),
        .target_len = ota_load32_le(untrusted + AT_TARGET_LEN),
        .target_reloc_start = ota_load32_le(untrusted + AT_TARGET_RELOC_START),
        .load_base = ota_load32_le(untrusted + AT_LOAD_BASE),
    };
    memcpy(header.base_identity, untrusted + AT_BASE_IDENTITY, sizeof header.base_identity);
    memcpy(header.target_identity, untrusted + AT_TARGET_IDENTITY, sizeof header.target_identity);

    if (header.base_len > OTA_DELTA_LENGTH_MAX || header.target_len > OTA_DELTA_LENGTH_MAX) return OTA_ERR_PATCH_HEADER;
    if (header.load_base > UINT32_MAX - OTA_DELTA_LENGTH_MAX) return OTA_ERR_PATCH_HEADER;
    if (header.base_len == 0 && !ota_bytes_are(header.base_identity, sizeof header.base_identity, 0)) {
        return OTA_ERR_PATCH_HEADER;
    }

    if (header.kind == OTA_DELTA_IMAGE) {
        if (!image_header_holds(&header)) return OTA_ERR_PATCH_HEADER;
        header.base_ext_start = header.base_len != 0 ? header.base_len - OTA_IMAGE_TAIL_LEN : 0;
        header.target_ext_start = header.target_len - OTA_IMAGE_TAIL_LEN;
    } else if (header.kind == OTA_DELTA_RAW) {
        if (!raw_header_holds(&header)) return OTA_ERR_PATCH_HEADER;
        header.base_reloc_start = header.base_len;
        header.base_ext_start = header.base_len;
        header.target_reloc_start = header.target_len;
        header.target_ext_start = header.target_len;
    } else {
        return OTA_ERR_PATCH_HEADER;
    }
    *out = header;
    return OTA_OK;
}
