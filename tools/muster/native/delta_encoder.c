/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "delta_costs.h"
#include "delta_model.h"
#include "delta_output.h"
#include "delta_range.h"
#include "delta_input.h"
#include "delta_steps.h"
#include "delta_table.h"
#include "delta_unit.h"
#include "delta_direction.h"
#include "ota/image.h"
#include "ota/sha256.h"

/* The encoder runs the decoder's own steps. They ask it what the patch shall say (delta_direction.h) and hand it each
 * decision to be written (delta_range.h); so the two cannot disagree. */
struct encoder {
    struct ota_delta delta;
    uint16_t counters[OTA_DELTA_COUNTERS_LARGE];
    const struct muster_delta_pair *pair;
    enum muster_parse parse;
    struct ota_delta_port port;
    uint8_t *body;    /* the target without its relocation table */
    uint32_t *relocs; /* the target's relocated words, rising, and their end mark */
    struct muster_segment *segments;
    uint32_t segment_count;
    uint32_t low; /* end of the interval */
    uint32_t next_copy;
    uint32_t next_reloc;
    uint8_t *out;
    uint32_t out_size;
    uint32_t out_len; /* also counts bytes that did not fit */
};

static struct encoder *encoder_of(const struct ota_delta *delta) { return delta->port->ctx; }

/* ---- range encoder ---- */

static void put_byte(struct encoder *encoder, uint32_t byte) {
    if (encoder->out_len < encoder->out_size) encoder->out[encoder->out_len] = (uint8_t)byte;
    encoder->out_len++;
}

/* Adds to the stream, as far as it is written, what has left the interval's low end upwards. */
static void carry(struct encoder *encoder) {
    uint32_t at = encoder->out_len;
    while (at > 0 && (--at >= encoder->out_size || ++encoder->out[at] == 0)) continue;
}

static void raise_low(struct encoder *encoder, uint32_t by) {
    encoder->low += by;
    if (encoder->low < by) carry(encoder);
}

void ota_delta_range_start(struct ota_delta *delta) {
    delta->kept.range.size = UINT32_MAX;
    encoder_of(delta)->low = 0;
}

uint32_t ota_delta_range_write(struct ota_delta *delta, uint32_t chance, uint32_t wanted) {
    struct encoder *encoder = encoder_of(delta);
    struct ota_delta_range *range = &delta->kept.range;
    uint32_t zero = ota_delta_range_zero(range, chance);
    if (wanted != 0) {
        raise_low(encoder, zero);
        range->size -= zero;
    } else {
        range->size = zero;
    }
    for (; range->size < OTA_DELTA_RANGE_MIN; range->size <<= 8) {
        put_byte(encoder, encoder->low >> 24);
        encoder->low <<= 8;
    }
    return wanted != 0;
}

/* The fewest bytes that end the stream: behind them the decoder takes zeros. */
static void end_stream(struct encoder *encoder) {
    uint64_t end = (uint64_t)encoder->low + encoder->delta.kept.range.size;
    for (uint32_t len = 0; len <= 4; len++) {
        uint64_t unit = UINT64_C(1) << (32 - 8 * len);
        uint64_t value = (encoder->low + unit - 1) & ~(unit - 1);
        if (value >= end) continue;
        raise_low(encoder, (uint32_t)(value - encoder->low));
        for (uint32_t i = 0; i < len; i++) put_byte(encoder, encoder->low >> (24 - 8 * i));
        return;
    }
}

/* ---- what is wanted ---- */

static struct ota_delta_segment source_in_history(const struct encoder *encoder, const struct muster_segment *segment) {
    const struct ota_delta_header *header = &encoder->delta.kept.header;
    uint32_t base_len = segment->from_target ? ota_delta_body_len(header, &header->base) : 0;
    return (struct ota_delta_segment){
        .target = segment->target, .source = segment->source + base_len, .len = segment->len};
}

uint32_t ota_delta_wanted_map_len(const struct ota_delta *delta) {
    const struct encoder *encoder = encoder_of(delta);
    uint32_t count = 0;
    for (uint32_t i = 0; i < encoder->segment_count; i++) count += encoder->segments[i].in_map;
    return count;
}

struct ota_delta_segment ota_delta_wanted_map_segment(const struct ota_delta *delta) {
    const struct encoder *encoder = encoder_of(delta);
    uint32_t index = 0;
    for (uint32_t left = delta->kept.map_len + 1u; left > 0; index++) left -= encoder->segments[index].in_map;
    return source_in_history(encoder, &encoder->segments[index - 1]);
}

uint32_t ota_delta_wanted_reloc(const struct ota_delta *delta, uint32_t off) {
    struct encoder *encoder = encoder_of(delta);
    while (encoder->relocs[encoder->next_reloc] < off) encoder->next_reloc++;
    /* asked for a place before the last one: words are few, and it happens seldom */
    while (encoder->next_reloc > 0 && encoder->relocs[encoder->next_reloc - 1] >= off) encoder->next_reloc--;
    return encoder->relocs[encoder->next_reloc];
}

/* Steps ahead on a copy of the state. */
uint32_t ota_delta_wanted_run(const struct ota_delta *delta) {
    struct ota_delta ahead = *delta;
    uint32_t end = delta->kept.header.target.reloc_start;
    for (uint32_t run = 0;; run++) {
        uint32_t wanted = ota_delta_wanted_reloc(&ahead, ahead.table.next), predicted = ota_delta_table_predict(&ahead);
        if (ahead.kept.status != OTA_OK) return run;
        if (predicted == UINT32_MAX && wanted == end) return OTA_DELTA_RUN_ALL;
        if (predicted != wanted) return run;
        ahead.table.next = predicted + 4;
        ahead.table.from += 4;
    }
}

struct ota_delta_segment ota_delta_wanted_copy(const struct ota_delta *delta, uint32_t end) {
    struct encoder *encoder = encoder_of(delta);
    uint32_t *next = &encoder->next_copy;
    while (*next < encoder->segment_count &&
           (encoder->segments[*next].target < delta->kept.position || encoder->segments[*next].in_map)) {
        ++*next;
    }
    if (*next == encoder->segment_count || encoder->segments[*next].target >= end) return (struct ota_delta_segment){0};
    return source_in_history(encoder, &encoder->segments[*next]);
}

/* Steps ahead on a copy of the state. */
uint32_t ota_delta_wanted_clean(const struct ota_delta *delta, uint32_t len) {
    struct ota_delta ahead = *delta;
    uint32_t end = delta->kept.position + len;
    while (ahead.kept.position < end) {
        struct ota_delta_prediction prediction;
        if (ota_delta_unit_look(&ahead, &prediction) != OTA_OK) return 0;
        if (prediction.bytes != ota_delta_wanted_bytes(&ahead, prediction.len)) return 0;
        if (ota_delta_unit_as_predicted(&ahead) != OTA_OK) return 0;
    }
    return 1;
}

uint32_t ota_delta_wanted_bytes(const struct ota_delta *delta, uint32_t count) {
    const uint8_t *bytes = encoder_of(delta)->body + delta->kept.position;
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

/* ---- port ---- */

static enum ota_status begin(void *ctx, const struct ota_delta_header *header) {
    (void)ctx;
    (void)header;
    return OTA_OK;
}

static enum ota_status read_base(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct encoder *encoder = ctx;
    memcpy(out, encoder->pair->base + off, len);
    return OTA_OK;
}

static enum ota_status read_target(void *ctx, uint32_t off, void *out, uint32_t len) {
    const struct encoder *encoder = ctx;
    memcpy(out, encoder->pair->target + off, len);
    return OTA_OK;
}

static enum ota_status write_target(void *ctx, uint32_t off, const void *bytes, uint32_t len) {
    const struct encoder *encoder = ctx;
    /* what the steps make must be what was wanted; derived fields wait for the end, which an encoder does not reach */
    return memcmp(encoder->pair->target + off, bytes, len) == 0 ? OTA_OK : OTA_ERR_STATE;
}

static enum ota_status checkpoint(void *ctx, const struct ota_delta *delta, uint32_t patch_off) {
    (void)ctx;
    (void)delta;
    (void)patch_off;
    return OTA_OK;
}

/* ---- preparation ---- */

/* The body, where each derived field has what costs least: the base's bytes at the same distance from the end. */
static uint8_t *make_body(const struct encoder *encoder) {
    const struct muster_delta_pair *pair = encoder->pair;
    const struct ota_delta_header *header = &encoder->delta.kept.header;
    uint32_t table_len = ota_delta_table_len(header, &header->target), len = header->target.len - table_len;
    uint32_t code_len = header->target.reloc_start;
    uint8_t *body = calloc(1, len + 4);
    if (body == NULL) return NULL;
    memcpy(body, pair->target, code_len);
    memcpy(body + code_len, pair->target + code_len + table_len, len - code_len);
    if (header->kind == OTA_DELTA_RAW) return body;
    for (uint32_t from_end = 1; from_end <= OTA_DELTA_MODULE_SUFFIX_LEN; from_end++) {
        if (from_end == 5 || from_end == 6) continue; /* the suffix's length */
        body[len - from_end] = from_end <= header->base.len ? pair->base[header->base.len - from_end] : 0;
    }
    return body;
}

static uint32_t number_len(uint32_t value) { return value < 0x10000 ? 2 : 4; }

/* Of the fields that the decoder works out in an image's tail: what the base has, where it has as many bytes for it. */
static void replace_derived(struct encoder *encoder, uint8_t *body) {
    const struct ota_delta_header *header = &encoder->delta.kept.header;
    struct ota_manifest manifest, base_manifest;
    if (header->kind != OTA_DELTA_IMAGE) return;
    uint8_t *tail = body + header->target.reloc_start;
    if (ota_delta_open_manifest(tail, &manifest) != OTA_OK) return;
    uint8_t *hash = tail + OTA_DELTA_MANIFEST_AT + manifest.body_hash_at;
    memset(hash, 0, OTA_SHA256_LEN);
    const uint8_t *base_tail = encoder->pair->base + header->base.len - OTA_IMAGE_TAIL_LEN;
    if (header->base.len == 0 || ota_delta_open_manifest(base_tail, &base_manifest) != OTA_OK) return;
    /* the two numbers before the hash have a key and a head each, and two or four bytes */
    uint32_t numbers_len = 3 + number_len(manifest.ext_start) + 2 + number_len(manifest.reloc_start);
    const uint8_t *base_hash = base_tail + OTA_DELTA_MANIFEST_AT + base_manifest.body_hash_at;
    bool is_same_form = number_len(manifest.ext_start) == number_len(base_manifest.ext_start) &&
                        number_len(manifest.reloc_start) == number_len(base_manifest.reloc_start);
    if (is_same_form) memcpy(hash - numbers_len, base_hash - numbers_len, numbers_len);
    memcpy(hash, base_manifest.body_hash, OTA_SHA256_LEN);
    memcpy(tail + OTA_DELTA_PRODUCT_DATA_IDS, base_tail + OTA_DELTA_PRODUCT_DATA_IDS, 4);
    memcpy(tail + OTA_DELTA_SUFFIX_IDS, base_tail + OTA_DELTA_SUFFIX_IDS, 4);
}

/* Relocated words of an image, rising, with its reloc_start as their end; NULL when memory is short. */
static uint32_t *list_relocs(const struct encoder *encoder, const struct ota_delta_layout *layout, bool is_base) {
    const struct ota_delta_header *header = &encoder->delta.kept.header;
    uint32_t *words = malloc((layout->reloc_start / 4 + 1) * sizeof *words);
    uint32_t count = 0, word = 0, table_len = ota_delta_table_len(header, layout);
    struct ota_reloc reloc;
    if (words == NULL) return NULL;
    ota_reloc_init(&reloc, is_base ? read_base : read_target, encoder->delta.port->ctx, layout->reloc_start, table_len,
                   layout->reloc_start);
    while (table_len != 0 && ota_reloc_find(&reloc, word, layout->reloc_start, &word) == OTA_OK &&
           word != layout->reloc_start) {
        words[count++] = word;
        word += 4;
    }
    words[count] = layout->reloc_start;
    return words;
}

/* One byte for each word of a body: whether it is relocated. */
static uint8_t *mark_pointers(const uint32_t *words, uint32_t reloc_start, uint32_t body_len) {
    uint8_t *marks = calloc(1, body_len / 4 + 1);
    if (marks == NULL) return NULL;
    for (; *words != reloc_start; words++) marks[*words / 4] = 1;
    return marks;
}

static enum ota_status find_segments(struct encoder *encoder, const uint8_t *base_body, const uint32_t *base_relocs) {
    const struct ota_delta_kept *kept = &encoder->delta.kept;
    const struct ota_delta_header *header = &kept->header;
    bool is_image = header->kind == OTA_DELTA_IMAGE;
    uint8_t *base_marks = mark_pointers(base_relocs, header->base.reloc_start, kept->base_body_len);
    uint8_t *target_marks = mark_pointers(encoder->relocs, header->target.reloc_start, kept->target_body_len);
    struct muster_delta_costs *cost_tables = malloc(sizeof *cost_tables);
    struct muster_costs costs;
    if (cost_tables != NULL) muster_delta_costs_init(cost_tables, &costs, encoder->parse);
    const struct muster_alignment alignment = {
        .base = base_body,
        .base_len = kept->base_body_len,
        .target = encoder->body,
        .target_len = kept->target_body_len,
        .load_base = header->load_base,
        .base_is_pointer = is_image ? base_marks : NULL,
        .target_is_pointer = is_image ? target_marks : NULL,
        .map_max = kept->base_body_len > 0 ? OTA_DELTA_MAP_MAX : 0,
        .map_len_min = 16,
        .costs = &costs,
    };
    enum ota_status status = OTA_ERR_BUFFER;
    if (base_marks != NULL && target_marks != NULL && cost_tables != NULL) {
        status = muster_segments_find(&alignment, &encoder->segments, &encoder->segment_count);
    }
    free(base_marks);
    free(target_marks);
    free(cost_tables);
    return status;
}

static uint8_t *make_base_body(const struct encoder *encoder) {
    const struct ota_delta_header *header = &encoder->delta.kept.header;
    uint32_t table_len = ota_delta_table_len(header, &header->base), len = header->base.len - table_len;
    uint32_t code_len = header->base.reloc_start;
    uint8_t *body = malloc(len + 1);
    if (body == NULL) return NULL;
    memcpy(body, encoder->pair->base, code_len);
    memcpy(body + code_len, encoder->pair->base + code_len + table_len, len - code_len);
    return body;
}

/* The header's step asks for the map already: everything is known before it. */
static enum ota_status prepare(struct encoder *encoder) {
    struct ota_delta_header *header = &encoder->delta.kept.header;
    struct ota_delta_kept *kept = &encoder->delta.kept;
    uint32_t header_len;
    TRY(ota_delta_header_parse(encoder->pair->header, encoder->pair->header_len, &encoder->pair->base_facts, header,
                               &header_len));
    TRY(ota_delta_read_load_base(&encoder->delta));
    kept->base_body_len = ota_delta_body_len(header, &header->base);
    kept->target_body_len = ota_delta_body_len(header, &header->target);
    uint8_t *body = make_body(encoder), *base_body = make_base_body(encoder);
    uint32_t *base_relocs = list_relocs(encoder, &header->base, true);
    encoder->body = body;
    encoder->relocs = list_relocs(encoder, &header->target, false);
    enum ota_status status = OTA_ERR_BUFFER;
    if (body != NULL && base_body != NULL && base_relocs != NULL && encoder->relocs != NULL) {
        replace_derived(encoder, body);
        status = find_segments(encoder, base_body, base_relocs);
    }
    free(base_body);
    free(base_relocs);
    return status;
}

static enum ota_status run(struct encoder *encoder) {
    TRY(prepare(encoder));
    ota_delta_init(&encoder->delta, encoder->counters, OTA_DELTA_COUNTERS_LARGE, &encoder->pair->base_facts);
    (void)ota_delta_input_fill(&encoder->delta.kept.input, encoder->pair->header, encoder->pair->header_len);
    encoder->delta.port = &encoder->port;
    while (encoder->delta.kept.state < OTA_DELTA_STATE_COMPLETE) TRY(ota_delta_step(&encoder->delta));
    end_stream(encoder);
    return encoder->out_len <= encoder->out_size ? OTA_OK : OTA_ERR_BUFFER;
}

/* The stream as one parse makes it. */
static enum ota_status encode(const struct muster_delta_pair *pair, enum muster_parse parse, uint8_t *out,
                              uint32_t out_size, uint32_t *out_len) {
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder == NULL) return OTA_ERR_BUFFER;
    encoder->pair = pair;
    encoder->parse = parse;
    encoder->out = out;
    encoder->out_size = out_size;
    encoder->port = (struct ota_delta_port){encoder, begin, read_base, read_target, write_target, checkpoint};
    encoder->delta.port = &encoder->port;
    enum ota_status status = run(encoder);
    *out_len = encoder->out_len;
    free(encoder->segments);
    free(encoder->relocs);
    free(encoder->body);
    free(encoder);
    return status;
}

enum ota_status muster_delta_encode(const struct muster_delta_pair *pair, uint8_t *out, uint32_t out_size,
                                    uint32_t *out_len) {
    uint32_t len;
    uint8_t *other = malloc(out_size + 1u);
    if (other == NULL) return OTA_ERR_BUFFER;
    enum ota_status status = encode(pair, MUSTER_PARSE_SHORT, out, out_size, out_len);
    if (status == OTA_OK) status = encode(pair, MUSTER_PARSE_LONG, other, out_size, &len);
    if (status == OTA_OK && len < *out_len) {
        memcpy(out, other, len);
        *out_len = len;
    }
    free(other);
    return status;
}
