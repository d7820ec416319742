/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/image.h"

#include <stddef.h>
#include <string.h>

#include "ota/bytes.h"
#include "ota/cose.h"
#include "ota/crc32.h"
#include "ota/identity_page.h"
#include "ota/sha256.h"
#include "slot_read.h"

/* docs/spec/image.md sections 2, 4 and 5. */
enum {
    PREFIX_LEN = 24,
    PREFIX_START = 0x00,
    PREFIX_END = 0x04,
    PREFIX_PLATFORM = 0x0C,
    PREFIX_MIN_BOOTLOADER = 0x12,

    ENTRY_HEAD_LEN = 4,
    ENTRY_MANIFEST = 0x8100,
    ENTRY_SIGNATURE = 0x8101,
    ENTRY_PADDING = 0x81FF,
    ENTRY_PRODUCT = 0x0001,
    PRODUCT_ENTRY_LEN = 10,
    ENTRY_END = 0x0000,
    END_ENTRY_LEN = ENTRY_HEAD_LEN,

    SUFFIX_LEN = 44, /* CRC included */
    SUFFIX_PRODUCT = 0,
    SUFFIX_VERSION = 2,
    SUFFIX_RESERVED = 4,
    SUFFIX_SHA256 = 6,
    SUFFIX_SIZE = 38,
    SUFFIX_CRC = 40,
    SUFFIX_SIZE_VALUE = 552,
};

static const uint8_t manifest_aad[] = {'m', 'u', 's', 't', 'e', 'r', '.', 'm', 'a', 'n', 'i', 'f', 'e', 's', 't'};

/* The parts of an image that are read while it is opened. */
struct open_parts {
    uint8_t prefix[PREFIX_LEN];
    uint8_t suffix[SUFFIX_LEN];
    uint8_t ext[OTA_IMAGE_EXT_LEN];
};

static enum ota_status check_length(struct ota_image *image, const uint8_t *prefix) {
    uint32_t start = ota_load32_le(prefix + PREFIX_START);
    uint32_t end = ota_load32_le(prefix + PREFIX_END);
    if (start != image->slot_addr || end < start || end - start > OTA_SLOT_SIZE - 4) return OTA_ERR_IMAGE_LENGTH;
    image->len = end - start + 4;
    if (image->len % 4 != 0 || image->len < OTA_IMAGE_MIN_LEN) return OTA_ERR_IMAGE_LENGTH;
    return OTA_OK;
}

/* Length of the entry at `pos`, its head included; 0 when there is none of this type that fits. */
static uint32_t entry_len(const uint8_t *ext, uint32_t pos, uint16_t type) {
    if (OTA_IMAGE_EXT_LEN - pos < ENTRY_HEAD_LEN || ota_load16_le(ext + pos) != type) return 0;
    uint32_t len = ota_load16_le(ext + pos + 2);
    return len < ENTRY_HEAD_LEN || len > OTA_IMAGE_EXT_LEN - pos ? 0 : len;
}

/* Exactly the entries of docs/spec/image.md section 4, in their order. */
static enum ota_status check_ext(struct ota_image *image, const uint8_t *ext) {
    uint32_t pos = entry_len(ext, 0, ENTRY_MANIFEST);
    if (pos == 0) return OTA_ERR_IMAGE_FORMAT;
    image->manifest_len = (uint16_t)(pos - ENTRY_HEAD_LEN);

    const uint8_t *previous = NULL;
    image->signature_count = 0;
    while (entry_len(ext, pos, ENTRY_SIGNATURE) == ENTRY_HEAD_LEN + OTA_COSE_SIGN1_LEN) {
        const uint8_t *sign1 = ext + pos + ENTRY_HEAD_LEN;
        if (image->signature_count == OTA_IMAGE_SIGNATURES_MAX || !ota_cose_sign1_has_form(sign1))
            return OTA_ERR_IMAGE_FORMAT;
        if (previous != NULL && !ota_cose_key_ids_rise(previous, sign1)) return OTA_ERR_IMAGE_FORMAT;
        image->signature_count++;
        previous = sign1;
        pos += ENTRY_HEAD_LEN + OTA_COSE_SIGN1_LEN;
    }

    uint32_t padding_len = entry_len(ext, pos, ENTRY_PADDING);
    if (padding_len == 0 || padding_len + PRODUCT_ENTRY_LEN + END_ENTRY_LEN != OTA_IMAGE_EXT_LEN - pos)
        return OTA_ERR_IMAGE_FORMAT;
    if (!ota_bytes_are(ext + pos + ENTRY_HEAD_LEN, padding_len - ENTRY_HEAD_LEN, 0)) return OTA_ERR_IMAGE_FORMAT;
    pos += padding_len;

    if (entry_len(ext, pos, ENTRY_PRODUCT) != PRODUCT_ENTRY_LEN) return OTA_ERR_IMAGE_FORMAT;
    if (ota_load16_le(ext + pos + ENTRY_HEAD_LEN) != 0xFFFF) return OTA_ERR_IMAGE_FORMAT;
    pos += PRODUCT_ENTRY_LEN;

    return entry_len(ext, pos, ENTRY_END) == END_ENTRY_LEN ? OTA_OK : OTA_ERR_IMAGE_FORMAT;
}

static enum ota_status check_manifest(struct ota_image *image, const uint8_t *ext) {
    struct ota_manifest *manifest = &image->manifest;
    TRY(ota_manifest_parse(ext + ENTRY_HEAD_LEN, image->manifest_len, manifest));
    if (manifest->ext_start != image->len - OTA_IMAGE_TAIL_LEN) return OTA_ERR_MANIFEST;
    if (manifest->reloc_start % 4 != 0 || manifest->reloc_start < OTA_IMAGE_BODY_AT) return OTA_ERR_MANIFEST;
    if (manifest->reloc_start >= manifest->ext_start) return OTA_ERR_MANIFEST;
    ota_manifest_identity(ext + ENTRY_HEAD_LEN, image->manifest_len, image->identity);
    return OTA_OK;
}

static enum ota_status check_agreement(const struct ota_manifest *manifest, const struct open_parts *parts) {
    /* Prefix from 0x18C on: every byte has its one value. */
    uint8_t prefix[PREFIX_LEN - 8] = {[2] = 1, [6] = 3, [8] = 2};
    ota_store16_le(prefix + PREFIX_PLATFORM - 8, manifest->platform_id);
    ota_store16_le(prefix + PREFIX_MIN_BOOTLOADER - 8, manifest->min_bootloader_version);
    uint8_t product[4];
    ota_store16_le(product, manifest->product_id);
    ota_store16_le(product + 2, manifest->product_version);

    if (memcmp(parts->prefix + 8, prefix, sizeof prefix) == 0 &&
        memcmp(parts->suffix + SUFFIX_PRODUCT, product, sizeof product) == 0 &&
        memcmp(parts->ext + OTA_IMAGE_EXT_LEN - END_ENTRY_LEN - sizeof product, product, sizeof product) == 0) {
        return OTA_OK;
    }
    return OTA_ERR_IMAGE_MISMATCH;
}

enum ota_status ota_image_open(const struct ota_flash *flash, uint32_t slot_addr, struct ota_image *image) {
    struct open_parts parts;
    image->flash = flash;
    image->slot_addr = slot_addr;

    TRY(flash->read(flash->ctx, slot_addr + OTA_IMAGE_PREFIX_AT, parts.prefix, sizeof parts.prefix));
    TRY(check_length(image, parts.prefix));

    TRY(flash->read(flash->ctx, slot_addr + image->len - SUFFIX_LEN, parts.suffix, sizeof parts.suffix));
    if (ota_load16_le(parts.suffix + SUFFIX_SIZE) != SUFFIX_SIZE_VALUE) return OTA_ERR_IMAGE_FORMAT;
    if (ota_load16_le(parts.suffix + SUFFIX_RESERVED) != 0) return OTA_ERR_IMAGE_FORMAT;
    TRY(flash->read(flash->ctx, slot_addr + image->len - OTA_IMAGE_TAIL_LEN, parts.ext, sizeof parts.ext));
    TRY(check_ext(image, parts.ext));

    TRY(check_manifest(image, parts.ext));
    TRY(check_agreement(&image->manifest, &parts));

    const struct ota_manifest *manifest = &image->manifest;
    ota_reloc_init(&image->reloc, flash->read, flash->ctx, slot_addr + manifest->reloc_start,
                   manifest->ext_start - manifest->reloc_start, manifest->reloc_start);
    return ota_reloc_check(&image->reloc);
}

enum ota_status ota_image_read(struct ota_image *image, uint32_t off, void *out, uint32_t len) {
    if (off > image->len || len > image->len - off) return OTA_ERR_FLASH_RANGE;
    return slot_read(image->flash, image->slot_addr, &image->reloc, off, out, len);
}

/* Runs the CRC, and the SHA-256 unless it is NULL, on over [from, to). */
static enum ota_status digest_range(struct ota_image *image, uint32_t from, uint32_t to, struct ota_sha256 *sha,
                                    uint32_t *crc) {
    uint8_t chunk[512];
    while (from < to) {
        uint32_t take = ota_min_u32(to - from, sizeof chunk);
        TRY(ota_image_read(image, from, chunk, take));
        *crc = ota_crc32(*crc, chunk, take);
        if (sha != NULL) ota_sha256_update(sha, chunk, take);
        from += take;
    }
    return OTA_OK;
}

enum ota_status ota_image_check_hash(struct ota_image *image) {
    struct ota_sha256 sha;
    struct ota_sha256 body;
    uint8_t suffix[SUFFIX_LEN];
    uint8_t body_hash[OTA_SHA256_LEN];
    uint8_t module_hash[OTA_SHA256_LEN];
    uint32_t crc = 0;
    uint32_t suffix_at = image->len - SUFFIX_LEN;

    ota_sha256_init(&sha);
    TRY(digest_range(image, 0, image->manifest.ext_start, &sha, &crc));
    body = sha;
    ota_sha256_final(&body, body_hash);
    TRY(digest_range(image, image->manifest.ext_start, suffix_at + SUFFIX_SHA256, &sha, &crc));
    ota_sha256_final(&sha, module_hash);
    TRY(digest_range(image, suffix_at + SUFFIX_SHA256, image->len - 4, NULL, &crc));

    TRY(ota_image_read(image, suffix_at, suffix, sizeof suffix));
    if (ota_bytes_equal(body_hash, image->manifest.body_hash, sizeof body_hash) &&
        ota_bytes_equal(module_hash, suffix + SUFFIX_SHA256, sizeof module_hash) &&
        crc == ota_load32_be(suffix + SUFFIX_CRC)) {
        return OTA_OK;
    }
    return OTA_ERR_HASH;
}

/* Signatures by enough different keys: key ids rise, so no signer counts twice. */
static enum ota_status check_signatures(struct ota_image *image, const struct ota_image_requirements *requirements) {
    const struct ota_keyset *keyset = requirements->keyset;
    uint8_t manifest[OTA_MANIFEST_MAX_LEN];
    uint8_t sign1[OTA_COSE_SIGN1_LEN];
    uint32_t release_signers = 0;
    uint32_t development_signers = 0;
    uint32_t pos = image->manifest.ext_start + ENTRY_HEAD_LEN;

    if (keyset == NULL) return OTA_ERR_SIGNERS;
    TRY(ota_image_read(image, pos, manifest, image->manifest_len));
    pos += image->manifest_len;
    for (uint32_t i = 0; i < image->signature_count; i++) {
        TRY(ota_image_read(image, pos + ENTRY_HEAD_LEN, sign1, sizeof sign1));
        pos += ENTRY_HEAD_LEN + OTA_COSE_SIGN1_LEN;

        uint32_t *signers = &release_signers;
        const uint8_t *key = ota_cose_sign1_find_key(sign1, keyset->release[0], keyset->release_count);
        if (key == NULL) {
            signers = &development_signers;
            key = ota_cose_sign1_find_key(sign1, keyset->development[0], keyset->development_count);
        }
        if (key == NULL) continue;
        TRY(ota_cose_sign1_verify(sign1, key, (struct ota_span){manifest_aad, sizeof manifest_aad},
                                  (struct ota_span){manifest, image->manifest_len}));
        *signers += 1;
    }
    if (release_signers >= keyset->release_threshold) return OTA_OK;
    if (requirements->lifecycle == OTA_LIFECYCLE_DEVELOPMENT && development_signers > 0) return OTA_OK;
    return OTA_ERR_SIGNERS;
}

enum ota_status ota_image_check_requirements(struct ota_image *image,
                                             const struct ota_image_requirements *requirements) {
    const struct ota_manifest *manifest = &image->manifest;
    if (manifest->product_id != requirements->product_id) return OTA_ERR_PRODUCT;
    if (manifest->platform_id != requirements->platform_id) return OTA_ERR_PLATFORM;
    if (requirements->hw_rev < manifest->hw_rev_lowest || requirements->hw_rev > manifest->hw_rev_highest) {
        return OTA_ERR_HARDWARE;
    }
    if (requirements->bootloader_version < manifest->min_bootloader_version) return OTA_ERR_BOOTLOADER_TOO_OLD;
    if (manifest->security_counter < requirements->security_counter) return OTA_ERR_SECURITY_COUNTER;
    return check_signatures(image, requirements);
}

enum ota_status ota_image_check_full(const struct ota_flash *flash, uint32_t slot_addr,
                                     const struct ota_image_requirements *requirements, struct ota_image *image) {
    TRY(ota_image_open(flash, slot_addr, image));
    TRY(ota_image_check_hash(image));
    return ota_image_check_requirements(image, requirements);
}

enum ota_status ota_image_check_pinned(const struct ota_flash *flash, uint32_t slot_addr,
                                       const uint8_t identity[OTA_IDENTITY_SHORT_LEN], struct ota_image *image) {
    TRY(ota_image_open(flash, slot_addr, image));
    TRY(ota_image_check_hash(image));
    return ota_bytes_equal(image->identity, identity, OTA_IDENTITY_SHORT_LEN) ? OTA_OK : OTA_ERR_IDENTITY;
}
