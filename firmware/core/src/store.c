/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/store.h"

#include <stddef.h>
#include <string.h>

#include "commit.h"
#include "ota/bytes.h"
#include "ota/crc32.h"
#include "ota/sector.h"
#include "sector_pair.h"

enum {
    AT_COMPLEMENT = 4,
    AT_CRC = 8,
    AT_COMMIT = 12,
    KEY_COUNT = 256,
    OWNER_COUNT = 256,
    CHUNK_LEN = 128,
};

static const struct sector_pair store_sectors = {0x52545352, {OTA_STORE_SECTOR_0, OTA_STORE_SECTOR_1}};

/* A record in the ruling sector. Its head holds and its value lies inside the sector. */
struct entry {
    uint32_t at; /* offset in the sector */
    uint8_t owner;
    uint8_t key;
    uint16_t len;
    bool is_committed;
    uint32_t crc;
};

static uint32_t padded(uint32_t len) { return (len + 3) & ~3u; }

static uint32_t entry_end(const struct entry *entry) { return entry->at + OTA_STORE_HEAD_LEN + padded(entry->len); }

uint32_t ota_store_quota(uint8_t owner) {
    static const uint8_t quota_kib[] = {
        [OTA_STORE_SETTINGS] = 4,
        [OTA_STORE_PRODUCT] = 16,
        [OTA_STORE_CRASH] = 8,
        [OTA_STORE_DOWNLOAD] = OTA_STORE_DOWNLOAD_QUOTA / 1024,
    };
    return owner < sizeof quota_kib ? quota_kib[owner] * 1024u : 0;
}

static enum ota_status read_at(const struct ota_store *store, uint32_t at, void *out, uint32_t len) {
    return store->flash->read(store->flash->ctx, ota_sector_addr(store->sector) + at, out, len);
}

/* What stands at an offset. */
enum place {
    PLACE_ENTRY,
    PLACE_BLANK, /* the end: records may be written here */
    PLACE_TORN,  /* the end: a head that was cut */
};

static enum ota_status read_entry(const struct ota_store *store, uint32_t at, struct entry *entry, enum place *place) {
    uint8_t head[OTA_STORE_HEAD_LEN];
    uint32_t sector_size = ota_sector_size(store->sector);
    *place = PLACE_TORN;
    if (sector_size - at < sizeof head) return OTA_OK;
    TRY(read_at(store, at, head, sizeof head));
    if (ota_bytes_are(head, sizeof head, 0xFF)) {
        *place = PLACE_BLANK;
        return OTA_OK;
    }
    if (ota_load32_le(head) != ~ota_load32_le(head + AT_COMPLEMENT)) return OTA_OK;
    entry->at = at;
    entry->owner = head[0];
    entry->key = head[1];
    entry->len = ota_load16_le(head + 2);
    entry->crc = ota_load32_le(head + AT_CRC);
    entry->is_committed = ota_load32_le(head + AT_COMMIT) == OTA_COMMIT;
    if (padded(entry->len) > sector_size - at - sizeof head) return OTA_OK;
    *place = PLACE_ENTRY;
    return OTA_OK;
}

static uint32_t head_crc(const struct entry *entry) {
    uint8_t head[4] = {entry->owner, entry->key};
    ota_store16_le(head + 2, entry->len);
    return ota_crc32(0, head, sizeof head);
}

/* Whether the record counts: committed, and its CRC holds. */
static enum ota_status is_whole(const struct ota_store *store, const struct entry *entry, bool *whole) {
    uint8_t chunk[CHUNK_LEN];
    uint32_t crc = head_crc(entry);
    *whole = false;
    if (!entry->is_committed) return OTA_OK;
    for (uint32_t off = 0; off < entry->len; off += CHUNK_LEN) {
        uint32_t take = ota_min_u32(entry->len - off, CHUNK_LEN);
        TRY(read_at(store, entry->at + OTA_STORE_HEAD_LEN + off, chunk, take));
        crc = ota_crc32(crc, chunk, take);
    }
    *whole = crc == entry->crc;
    return OTA_OK;
}

enum ota_status ota_store_mount(struct ota_store *store, const struct ota_flash *flash) {
    struct entry entry;
    enum place place = PLACE_ENTRY;
    store->flash = flash;
    store->end = SECTOR_HEADER_LEN;
    store->must_compact = true;
    TRY(sector_pair_find(&store_sectors, flash, &store->sector, &store->generation));
    if (store->sector == 0) return OTA_OK;
    for (;;) {
        TRY(read_entry(store, store->end, &entry, &place));
        if (place != PLACE_ENTRY) break;
        store->end = entry_end(&entry);
    }
    store->must_compact = place == PLACE_TORN;
    return OTA_OK;
}

/* Finds the ruling record of an owner and key: `found` is false when there is none. */
static enum ota_status find(const struct ota_store *store, uint8_t owner, uint8_t key, struct entry *newest,
                            bool *found) {
    struct entry entry;
    enum place place;
    *found = false;
    if (store->sector == 0) return OTA_OK;
    for (uint32_t at = SECTOR_HEADER_LEN; at < store->end; at = entry_end(&entry)) {
        bool whole;
        TRY(read_entry(store, at, &entry, &place));
        if (place != PLACE_ENTRY) return OTA_OK;
        if (entry.owner != owner || entry.key != key) continue;
        TRY(is_whole(store, &entry, &whole));
        if (!whole) continue;
        *newest = entry;
        *found = entry.len > 0;
    }
    return OTA_OK;
}

enum ota_status ota_store_read(const struct ota_store *store, uint8_t owner, uint8_t key, void *out, uint32_t size,
                               uint32_t *len) {
    struct entry entry;
    bool found;
    TRY(find(store, owner, key, &entry, &found));
    if (!found) return OTA_ERR_NOT_FOUND;
    *len = entry.len;
    if (entry.len > size) return OTA_ERR_BUFFER;
    return read_at(store, entry.at + OTA_STORE_HEAD_LEN, out, entry.len);
}

/* Where each key's ruling record of one owner begins; 0 for keys without one. Marks the owners that it meets. */
struct live {
    uint32_t at[KEY_COUNT];
    uint32_t bytes; /* that count against the quota */
};

static enum ota_status find_live(const struct ota_store *store, uint8_t owner, struct live *live,
                                 uint8_t owners[OWNER_COUNT / 8]) {
    struct entry entry;
    enum place place;
    memset(live, 0, sizeof *live);
    if (store->sector == 0) return OTA_OK;
    for (uint32_t at = SECTOR_HEADER_LEN; at < store->end; at = entry_end(&entry)) {
        bool whole;
        TRY(read_entry(store, at, &entry, &place));
        if (place != PLACE_ENTRY) break;
        owners[entry.owner / 8] |= (uint8_t)(1 << entry.owner % 8);
        if (entry.owner != owner) continue;
        TRY(is_whole(store, &entry, &whole));
        if (whole) live->at[entry.key] = entry.len > 0 ? at : 0;
    }
    for (uint32_t key = 0; key < KEY_COUNT; key++) {
        if (live->at[key] == 0) continue;
        TRY(read_entry(store, live->at[key], &entry, &place));
        live->bytes += OTA_STORE_HEAD_LEN + entry.len;
    }
    return OTA_OK;
}

enum ota_status ota_store_live_bytes(const struct ota_store *store, uint8_t owner, uint32_t *live_bytes) {
    struct live live;
    uint8_t owners[OWNER_COUNT / 8] = {0};
    TRY(find_live(store, owner, &live, owners));
    *live_bytes = live.bytes;
    return OTA_OK;
}

/* Copies one record to `end` of the blank sector `target`. */
static enum ota_status copy_entry(const struct ota_store *store, uint32_t at, uint32_t target, uint32_t *end) {
    uint8_t chunk[CHUNK_LEN];
    struct entry entry;
    enum place place;
    TRY(read_entry(store, at, &entry, &place));
    uint32_t len = entry_end(&entry) - at;
    if (len > ota_sector_size(target) - *end) return OTA_ERR_STORE_FULL;
    for (uint32_t off = 0; off < len; off += CHUNK_LEN) {
        uint32_t take = ota_min_u32(len - off, CHUNK_LEN);
        TRY(read_at(store, at + off, chunk, take));
        /* cut: the target has no header, the old sector rules */
        TRY(store->flash->program(store->flash->ctx, ota_sector_addr(target) + *end + off, chunk, take));
    }
    *end += len;
    return OTA_OK;
}

/* Moves the live records to the other sector and makes that one rule; the first sector of an empty store too. */
static enum ota_status compact(struct ota_store *store) {
    uint32_t target = sector_pair_other(&store_sectors, store->sector);
    uint32_t end = SECTOR_HEADER_LEN;
    uint8_t owners[OWNER_COUNT / 8] = {0};
    struct live live;

    /* cut: the old sector rules, here and down to the commit */
    TRY(ota_sector_make_blank(store->flash, target));
    TRY(find_live(store, 0, &live, owners)); /* which owners there are */
    for (uint32_t owner = 0; owner < OWNER_COUNT; owner++) {
        if ((owners[owner / 8] >> owner % 8 & 1) == 0) continue;
        TRY(find_live(store, (uint8_t)owner, &live, owners));
        for (uint32_t key = 0; key < KEY_COUNT; key++) {
            if (live.at[key] != 0) TRY(copy_entry(store, live.at[key], target, &end));
        }
    }
    TRY(sector_pair_commit(&store_sectors, store->flash, target, store->generation + 1));
    store->sector = target;
    store->generation++;
    store->end = end;
    store->must_compact = false;
    return OTA_OK;
}

/* Programs a record at `addr`, which is blank.
 * cut in words 0 or 1: the head does not hold, the log ends before it, the next write compacts;
 * cut behind them: the record is not committed and is skipped by its length. The old value rules until the last word.
 */
static enum ota_status program_entry(const struct ota_flash *flash, uint32_t addr, const struct entry *entry,
                                     const uint8_t *bytes) {
    uint8_t head[OTA_STORE_HEAD_LEN] = {entry->owner, entry->key};
    uint8_t last[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    uint32_t whole_len = entry->len & ~3u;
    uint32_t value_addr = addr + OTA_STORE_HEAD_LEN;

    ota_store16_le(head + 2, entry->len);
    ota_store32_le(head + AT_COMPLEMENT, ~ota_load32_le(head));
    ota_store32_le(head + AT_CRC, ota_crc32(head_crc(entry), bytes, entry->len));
    ota_store32_le(head + AT_COMMIT, OTA_COMMIT);
    TRY(flash->program(flash->ctx, addr, head, AT_COMMIT));
    if (whole_len > 0) TRY(flash->program(flash->ctx, value_addr, bytes, whole_len));
    if (whole_len < entry->len) {
        memcpy(last, bytes + whole_len, entry->len - whole_len);
        TRY(flash->program(flash->ctx, value_addr + whole_len, last, sizeof last));
    }
    return flash->program(flash->ctx, addr + AT_COMMIT, head + AT_COMMIT, sizeof head - AT_COMMIT);
}

static enum ota_status append(struct ota_store *store, struct entry *entry, const uint8_t *bytes) {
    uint32_t len = OTA_STORE_HEAD_LEN + padded(entry->len);
    if (store->must_compact || len > ota_sector_size(store->sector) - store->end) TRY(compact(store));
    if (len > ota_sector_size(store->sector) - store->end) return OTA_ERR_STORE_FULL;
    entry->at = store->end;
    store->must_compact = true; /* unless everything goes well, nobody knows what stands there */
    TRY(program_entry(store->flash, ota_sector_addr(store->sector) + entry->at, entry, bytes));
    store->end = entry_end(entry);
    store->must_compact = false;
    return OTA_OK;
}

enum ota_status ota_store_write(struct ota_store *store, uint8_t owner, uint8_t key, const void *bytes, uint32_t len) {
    struct entry entry;
    bool found;
    uint32_t live_bytes;
    if (len == 0 || len > UINT16_MAX) return OTA_ERR_BUFFER;
    TRY(ota_store_live_bytes(store, owner, &live_bytes));
    TRY(find(store, owner, key, &entry, &found));
    if (found) live_bytes -= OTA_STORE_HEAD_LEN + entry.len;
    uint32_t quota = ota_store_quota(owner);
    if (live_bytes > quota || OTA_STORE_HEAD_LEN + len > quota - live_bytes) return OTA_ERR_STORE_FULL;
    entry = (struct entry){.owner = owner, .key = key, .len = (uint16_t)len};
    return append(store, &entry, bytes);
}

enum ota_status ota_store_remove(struct ota_store *store, uint8_t owner, uint8_t key) {
    struct entry entry;
    bool found;
    TRY(find(store, owner, key, &entry, &found));
    if (!found) return OTA_OK;
    entry = (struct entry){.owner = owner, .key = key};
    return append(store, &entry, NULL);
}
