/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bootlog_sector.h"
#include "commit.h"
#include "ota/bytes.h"
#include "ota/crc32.h"

enum {
    AT_KEYSET = 4,
    AT_CRC = 2040,
    AT_COMMIT = 2044,
    TRAILER_LEN = 8,
};

/* Reads the key set in a place; OTA_ERR_NOT_FOUND when there is no valid one. */
static enum ota_status read_place(const struct ota_bootlog *log, uint32_t place, struct ota_keyset *keyset) {
    const struct ota_flash *flash = log->flash;
    uint8_t bytes[AT_KEYSET + OTA_KEYSET_MAX_LEN];
    uint8_t trailer[TRAILER_LEN];
    uint32_t addr = bootlog_place_addr(log->sector, place);

    TRY(flash->read(flash->ctx, addr + AT_CRC, trailer, sizeof trailer));
    TRY(flash->read(flash->ctx, addr, bytes, sizeof bytes));
    uint32_t len = ota_load32_le(bytes);
    if (ota_load32_le(trailer + 4) != OTA_COMMIT || len > OTA_KEYSET_MAX_LEN) return OTA_ERR_NOT_FOUND;
    if (ota_load32_le(trailer) != ota_crc32(0, bytes, AT_KEYSET + len)) return OTA_ERR_NOT_FOUND;
    return ota_keyset_parse(bytes + AT_KEYSET, len, keyset) == OTA_OK ? OTA_OK : OTA_ERR_NOT_FOUND;
}

/* Versions in both places, 0 where there is none. `keyset` is room for reading. */
static enum ota_status read_versions(const struct ota_bootlog *log, uint32_t versions[PLACE_COUNT],
                                     struct ota_keyset *keyset) {
    for (uint32_t place = 0; place < PLACE_COUNT; place++) {
        versions[place] = 0;
        if (log->sector == 0) continue;
        enum ota_status status = read_place(log, place, keyset);
        if (status == OTA_OK) {
            versions[place] = keyset->version;
        } else if (status != OTA_ERR_NOT_FOUND) {
            return status;
        }
    }
    return OTA_OK;
}

static uint32_t current_place(const uint32_t versions[PLACE_COUNT]) { return versions[1] > versions[0] ? 1 : 0; }

enum ota_status ota_bootlog_read_keyset(const struct ota_bootlog *log, struct ota_keyset *keyset) {
    uint32_t versions[PLACE_COUNT];
    TRY(read_versions(log, versions, keyset));
    uint32_t place = current_place(versions);
    return versions[place] == 0 ? OTA_ERR_NOT_FOUND : read_place(log, place, keyset);
}

enum ota_status ota_bootlog_read_previous_keyset(const struct ota_bootlog *log, struct ota_keyset *keyset) {
    uint32_t versions[PLACE_COUNT];
    TRY(read_versions(log, versions, keyset));
    uint32_t place = 1 - current_place(versions);
    return versions[place] == 0 ? OTA_ERR_NOT_FOUND : read_place(log, place, keyset);
}

static enum ota_status copy_place(const struct ota_flash *flash, uint32_t from_addr, uint32_t to_addr) {
    uint8_t chunk[128];
    for (uint32_t off = 0; off < PLACE_LEN; off += sizeof chunk) {
        TRY(flash->read(flash->ctx, from_addr + off, chunk, sizeof chunk));
        if (ota_bytes_are(chunk, sizeof chunk, 0xFF)) continue;
        /* cut: the sector has no header yet */
        TRY(flash->program(flash->ctx, to_addr + off, chunk, sizeof chunk));
    }
    return OTA_OK;
}

enum ota_status bootlog_copy_keysets(const struct ota_bootlog *log, uint32_t target, enum bootlog_keysets keysets) {
    struct ota_keyset keyset;
    uint32_t versions[PLACE_COUNT];
    uint32_t copied = 0;
    TRY(read_versions(log, versions, &keyset));
    uint32_t current = current_place(versions);
    if (keysets == KEYSETS_ALL && versions[1 - current] != 0) {
        TRY(copy_place(log->flash, bootlog_place_addr(log->sector, 1 - current), bootlog_place_addr(target, copied)));
        copied++;
    }
    if (versions[current] != 0) {
        TRY(copy_place(log->flash, bootlog_place_addr(log->sector, current), bootlog_place_addr(target, copied)));
    }
    return OTA_OK;
}

/* Writes a key set to a blank place. */
static enum ota_status program_place(const struct ota_flash *flash, uint32_t addr, const uint8_t *bytes, uint32_t len) {
    uint8_t head[AT_KEYSET];
    uint8_t trailer[TRAILER_LEN];
    uint8_t last[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    uint32_t whole_len = len & ~3u;

    ota_store32_le(head, len);
    memcpy(last, bytes + whole_len, len - whole_len);
    ota_store32_le(trailer, ota_crc32(ota_crc32(0, head, sizeof head), bytes, len));
    ota_store32_le(trailer + 4, OTA_COMMIT);

    /* cut: a place without its commit word is no key set, so the current one stays; not blank any more, the place waits
     * for the next compaction. The same down to the commit word, torn or not. */
    TRY(flash->program(flash->ctx, addr, head, sizeof head));
    TRY(flash->program(flash->ctx, addr + AT_KEYSET, bytes, whole_len));
    if (whole_len < len) TRY(flash->program(flash->ctx, addr + AT_KEYSET + whole_len, last, sizeof last));
    TRY(flash->program(flash->ctx, addr + AT_CRC, trailer, 4));
    return flash->program(flash->ctx, addr + AT_COMMIT, trailer + 4, 4);
}

static enum ota_status is_place_blank(const struct ota_bootlog *log, uint32_t place, bool *is_blank) {
    return ota_flash_is_blank(log->flash, bootlog_place_addr(log->sector, place), PLACE_LEN, is_blank);
}

/* Finds a blank place beside the current key set, making one when there is none. */
static enum ota_status free_place(struct ota_bootlog *log, uint32_t *place) {
    struct ota_keyset keyset;
    uint32_t versions[PLACE_COUNT];
    bool is_blank = false;
    TRY(read_versions(log, versions, &keyset));
    bool has_current = versions[0] != 0 || versions[1] != 0;
    *place = has_current ? 1 - current_place(versions) : 0;
    if (log->sector != 0) TRY(is_place_blank(log, *place, &is_blank));
    if (is_blank) return OTA_OK;
    *place = has_current ? 1 : 0;
    return bootlog_compact(log, KEYSETS_CURRENT);
}

enum ota_status ota_bootlog_accept_keyset(struct ota_bootlog *log, const struct ota_roots *first_roots,
                                          const uint8_t *untrusted, uint32_t len, struct ota_keyset *keyset) {
    struct ota_roots roots = *first_roots;
    uint32_t version = 0;
    uint32_t place;
    enum ota_status status = ota_bootlog_read_keyset(log, keyset);
    if (status == OTA_OK) {
        roots = keyset->next_roots;
        version = keyset->version;
    } else if (status != OTA_ERR_NOT_FOUND) {
        return status;
    }
    TRY(ota_keyset_accept(untrusted, len, version, &roots, keyset));
    TRY(free_place(log, &place));
    return program_place(log->flash, bootlog_place_addr(log->sector, place), untrusted, len);
}
