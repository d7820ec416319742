/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_table.h"

#include <string.h>

#include "delta_bits.h"
#include "delta_direction.h"
#include "delta_map.h"
#include "delta_output.h"
#include "delta_range.h"
#include "ota/bytes.h"

enum {
    LIST_PIECE_LEN = 256, /* of the lists, on their way to write_target */
    LEB128_MORE = 0x80,
};

/* A table of the base's, or of the target's, is read through the port. */
static void open_table(struct ota_delta *delta, bool is_base) {
    const struct ota_delta_header *header = &delta->kept.header;
    const struct ota_delta_layout *layout = is_base ? &header->base : &header->target;
    const struct ota_delta_port *port = delta->port;
    ota_reloc_init(&delta->reloc, is_base ? port->read_base : port->read_target, port->ctx, layout->reloc_start,
                   ota_delta_table_len(header, layout), layout->reloc_start);
}

/* The first relocated word of the open table at `from` or behind it; `end` (its reloc_start) when there is none. */
static uint32_t find_word(struct ota_delta *delta, uint32_t from, uint32_t end) {
    uint32_t word = end;
    if (delta->kept.status == OTA_OK) delta->kept.status = ota_reloc_find(&delta->reloc, from, end, &word);
    return word;
}

static uint32_t region_end(const struct ota_delta_kept *kept, uint32_t segment) {
    return segment < kept->map_len ? ota_delta_map_segment(kept, segment).target : UINT32_MAX;
}

void ota_delta_table_begin(struct ota_delta *delta) {
    const struct ota_delta_header *header = &delta->kept.header;
    struct ota_delta_table *table = &delta->table;
    uint32_t count = (header->target.reloc_start + OTA_RELOC_BLOCK_LEN - 1) / OTA_RELOC_BLOCK_LEN;
    uint32_t len = 2 + 2 * count;
    /* count and list offsets stay in delta->out until the lists are written: they are known only then */
    open_table(delta, true);
    memset(table, 0, sizeof *table);
    table->block_count = count;
    table->len = len;
    table->head_len = (len + 3) & ~3u;
    table->region_end = region_end(&delta->kept, 0);
    ota_store16_le(delta->out, (uint16_t)count);
}

/* ---- prediction ---- */

/* Regions of the target take turns: what lies before a map segment, and the segment. */
static void next_region(struct ota_delta *delta) {
    struct ota_delta_table *table = &delta->table;
    table->is_in_segment = !table->is_in_segment;
    if (table->is_in_segment) {
        struct ota_delta_segment segment = ota_delta_map_segment(&delta->kept, table->segment);
        table->from = segment.source;
        table->distance = segment.target - segment.source;
        table->region_end = segment.target + segment.len;
    } else { /* behind a segment the base is taken to go on; words found moved move those behind them */
        table->segment++;
        table->region_end = region_end(&delta->kept, table->segment);
    }
}

uint32_t ota_delta_table_predict(struct ota_delta *delta) {
    const struct ota_delta_header *header = &delta->kept.header;
    struct ota_delta_table *table = &delta->table;
    uint32_t end = header->base.reloc_start;
    while (delta->kept.status == OTA_OK) {
        uint32_t word = table->from < end ? find_word(delta, table->from, end) : end, place = word + table->distance;
        table->from = word;
        if (word == end || place >= table->region_end) {
            if (table->region_end == UINT32_MAX) break;
            next_region(delta);
            continue;
        }
        if (place >= table->next && place % 4 == 0 && place < header->target.reloc_start) return place;
        table->from += 4;
    }
    return UINT32_MAX;
}

/* ---- the table's bytes ---- */

static void flush_lists(struct ota_delta *delta) {
    struct ota_delta_table *table = &delta->table;
    uint32_t off = table->head_len + table->written, len = table->len - off;
    if (table->len <= off) return;
    /* cut: the slot's table is not whole and no checkpoint exists: the download begins again */
    ota_delta_write(delta, delta->kept.header.target.reloc_start + off, delta->out + table->head_len, len);
    table->written += len;
}

static void put_table_byte(struct ota_delta *delta, uint32_t byte) {
    struct ota_delta_table *table = &delta->table;
    const struct ota_delta_header *header = &delta->kept.header;
    if (table->len >= ota_delta_table_len(header, &header->target)) {
        ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
        return;
    }
    delta->out[table->len++ - table->written] = (uint8_t)byte;
    if (table->len == table->head_len + table->written + LIST_PIECE_LEN) flush_lists(delta);
}

static void open_lists(struct ota_delta *delta, uint32_t block_end) {
    struct ota_delta_table *table = &delta->table;
    for (; table->block < block_end; table->block++) {
        if (table->len > OTA_RELOC_MAX_LEN) ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
        ota_store16_le(delta->out + 2 + 2 * table->block, (uint16_t)table->len);
        table->list_from = table->block * OTA_RELOC_BLOCK_LEN;
    }
}

static void put_table_word(struct ota_delta *delta, uint32_t word) {
    struct ota_delta_table *table = &delta->table;
    open_lists(delta, word / OTA_RELOC_BLOCK_LEN + 1);
    uint32_t gap = (word - table->list_from) / 4 + 1;
    table->list_from = word + 4;
    table->next = word + 4;
    if (gap >= LEB128_MORE) {
        put_table_byte(delta, gap | LEB128_MORE);
        gap >>= 7;
    }
    put_table_byte(delta, gap);
}

static void end_table(struct ota_delta *delta) {
    struct ota_delta_table *table = &delta->table;
    const struct ota_delta_header *header = &delta->kept.header;
    open_lists(delta, table->block_count);
    uint32_t padding = ota_delta_table_len(header, &header->target) - table->len;
    table->is_done = true;
    if (padding > 3) {
        ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
        return;
    }
    for (; padding > 0; padding--) put_table_byte(delta, 0);
    flush_lists(delta);
    /* cut: as in flush_lists() */
    ota_delta_write(delta, header->target.reloc_start, delta->out, table->head_len);
}

/* ---- the stream ---- */

/* A word that was not predicted, as words between it and the last one, plus 1; 0 ends the table. */
static void take_unpredicted(struct ota_delta *delta, uint32_t wanted, uint32_t predicted) {
    struct ota_delta_table *table = &delta->table;
    uint32_t end = delta->kept.header.target.reloc_start, next = table->next;
    uint32_t gap = ota_delta_number(delta, OTA_DELTA_NUMBER_RELOC_GAP, wanted == end ? 0 : (wanted - next) / 4 + 1);
    uint32_t word = next + 4 * gap - 4;
    if (gap == 0) {
        end_table(delta);
    } else if (word >= end) {
        ota_delta_fail(delta, OTA_ERR_PATCH_RANGE);
    } else {
        /* outside the map's segments, a word that is found elsewhere moves those behind it */
        if (predicted != UINT32_MAX && !table->is_in_segment) {
            table->distance += word - predicted;
            table->from += 4;
        }
        put_table_word(delta, word);
    }
}

/* Predicted words come in runs; behind a run stands a word that was not predicted, or the table's end. */
static void take_run(struct ota_delta *delta) {
    struct ota_delta_table *table = &delta->table;
    uint32_t wanted = ota_delta_wanted_run(delta);
    table->run = OTA_DELTA_RUN_ALL;
    if (ota_delta_bit(delta, OTA_DELTA_AT_TABLE + table->has_gap, wanted == OTA_DELTA_RUN_ALL) == 0) {
        table->run = ota_delta_number(delta, OTA_DELTA_NUMBER_RELOC_RUN, wanted);
    }
    table->has_run = true;
}

bool ota_delta_table_step(struct ota_delta *delta) {
    struct ota_delta_table *table = &delta->table;
    uint32_t predicted = ota_delta_table_predict(delta);
    if (!table->has_run) take_run(delta);
    bool is_all = table->run == OTA_DELTA_RUN_ALL;
    if (predicted != UINT32_MAX && table->run != 0) {
        if (!is_all) table->run--;
        table->from += 4;
        put_table_word(delta, predicted);
    } else if (is_all) {
        end_table(delta);
    } else {
        table->has_run = false;
        table->has_gap = true;
        take_unpredicted(delta, ota_delta_wanted_reloc(delta, table->next), predicted);
    }
    return table->is_done;
}

void ota_delta_pointers_begin(struct ota_delta *delta) { open_table(delta, false); }

void ota_delta_find_pointer(struct ota_delta *delta) {
    struct ota_delta_kept *kept = &delta->kept;
    uint32_t end = kept->header.target.reloc_start;
    kept->next_pointer = UINT32_MAX;
    if (!ota_delta_is_image(&kept->header) || kept->position >= end) return;
    uint32_t word = find_word(delta, (kept->position + 3) & ~3u, end);
    if (word != end) kept->next_pointer = word;
}
