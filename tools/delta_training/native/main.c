/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta_encoder.h"
#include "fit.h"
#include "trace.h"

/* trainer record TABLES < lines: HEADER RELOC_START OLD NEW TRACE
 *     Makes the patch that has this header (hexadecimal) with these tables; prints its length. RELOC_START is the
 *     base's. OLD "-": a full image. TRACE "-": its decisions are not kept.
 *
 * trainer layout
 *     How many initials, sets of weights for hits, sets in all and weights in a set the tables have.
 *
 * trainer cost TABLES < lines as for fit
 *     Prints the bits of each.
 *
 * trainer fit TABLES NEW_TABLES STEPS EPOCHS < lines: TRACE WEIGHT BYTES_WEIGHT
 *     STEPS: letters; c counters, k known bits and hits, g groups. */

enum { NAME_MAX_LEN = 1000 };

static void *read_file(const char *name, size_t *len) {
    FILE *file = fopen(name, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "%s: cannot be read\n", name);
        exit(1);
    }
    *len = (size_t)ftell(file);
    rewind(file);
    void *bytes = malloc(*len + 4);
    if (bytes == NULL || fread(bytes, 1, *len, file) != *len) exit(1);
    fclose(file);
    return bytes;
}

static void write_file(const char *name, const void *bytes, size_t len) {
    FILE *file = fopen(name, "wb");
    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", name);
        exit(1);
    }
}

static struct train_tables *read_tables(const char *name) {
    size_t len;
    struct train_tables *tables = read_file(name, &len);
    if (len != sizeof *tables) {
        fprintf(stderr, "%s: %zu bytes, not %zu\n", name, len, sizeof *tables);
        exit(1);
    }
    return tables;
}

/* ---- record ---- */

/* Bytes of hexadecimal digits. */
static uint32_t read_hex(const char *text, uint8_t *out, uint32_t size) {
    uint32_t len = 0;
    unsigned byte;
    for (; len < size && sscanf(text + 2 * len, "%2x", &byte) == 1; len++) out[len] = (uint8_t)byte;
    return len;
}

struct job {
    char header[2 * OTA_DELTA_HEADER_MAX + 1];
    unsigned base_reloc_start;
    char old[NAME_MAX_LEN + 1], new[NAME_MAX_LEN + 1], trace[NAME_MAX_LEN + 1];
};

static void record_one(const struct job *job) {
    size_t base_len = 0, target_len, words_len;
    uint8_t *base = strcmp(job->old, "-") == 0 ? calloc(1, 4) : read_file(job->old, &base_len);
    uint8_t *target = read_file(job->new, &target_len), header[OTA_DELTA_HEADER_MAX];
    uint32_t out_size = 2 * (uint32_t)target_len + 1000, len = 0;
    uint8_t *out = malloc(out_size);
    struct muster_delta_pair pair = {.header = header, .base = base, .target = target};
    pair.base_facts.layout.len = (uint32_t)base_len;
    pair.base_facts.layout.reloc_start = job->base_reloc_start;
    pair.header_len = read_hex(job->header, header, sizeof header);
    memcpy(pair.base_facts.check, header + 1, sizeof pair.base_facts.check); /* where a header has it */
    train_record_begin();
    enum ota_status status = muster_delta_encode(&pair, out, out_size, &len);
    uint32_t *words = train_record_end(&words_len);
    if (status != OTA_OK) {
        fprintf(stderr, "%s: status %d\n", job->new, status);
        exit(1);
    }
    if (strcmp(job->trace, "-") != 0) write_file(job->trace, words, words_len * sizeof *words);
    printf("%u\n", pair.header_len + len);
    fflush(stdout);
    free(words);
    free(out);
    free(target);
    free(base);
}

static int record(const char *tables_name) {
    struct train_tables *tables = read_tables(tables_name);
    static struct job job;
    train_tables_apply(tables);
    while (scanf("%40s %u %1000s %1000s %1000s", job.header, &job.base_reloc_start, job.old, job.new, job.trace) == 5) {
        record_one(&job);
    }
    free(tables);
    return 0;
}

/* ---- fit ---- */

/* Traces of the lines on standard input. */
static void read_traces(struct train_fit *fit) {
    struct train_trace *traces = NULL;
    static char name[NAME_MAX_LEN + 1];
    double weight, bytes_weight;
    while (scanf("%1000s %lf %lf", name, &weight, &bytes_weight) == 3) {
        size_t len;
        traces = realloc(traces, (fit->count + 1) * sizeof *traces);
        if (traces == NULL) exit(1);
        uint32_t *words = read_file(name, &len);
        traces[fit->count++] = (struct train_trace){words, len / sizeof *words, weight, bytes_weight};
    }
    fit->traces = traces;
}

static void free_traces(struct train_fit *fit) {
    for (uint32_t i = 0; i < fit->count; i++) free((void *)(uintptr_t)fit->traces[i].words);
    free((void *)(uintptr_t)fit->traces);
    free(fit->tables);
}

static int cost(const char *tables_name) {
    struct train_fit fit = {.tables = read_tables(tables_name)};
    static uint16_t entry_of[TRAIN_KNOWN];
    static double values[TRAIN_ENTRIES];
    static struct train_sums sums;
    read_traces(&fit);
    train_tables_apply(fit.tables);
    train_tables_entries(fit.tables, entry_of);
    for (uint32_t i = 0; i < TRAIN_ENTRIES; i++) values[i] = *train_tables_entry(fit.tables, i);
    for (uint32_t i = 0; i < fit.count; i++) {
        printf("%.17g\n", train_replay(&fit.traces[i], entry_of, values, &sums));
    }
    free_traces(&fit);
    return 0;
}

static int fit(const char *from, const char *to, const char *steps, uint32_t epochs) {
    struct train_fit fit = {.tables = read_tables(from)};
    read_traces(&fit);
    train_tables_apply(fit.tables);
    for (; *steps != 0; steps++) {
        if (*steps == 'c') train_fit_counters(&fit);
        if (*steps == 'k') train_fit_known(&fit);
        if (*steps == 'g') train_fit_groups(&fit);
    }
    printf("%.17g\n", train_fit_descend(&fit, epochs));
    write_file(to, fit.tables, sizeof *fit.tables);
    free_traces(&fit);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "layout") == 0) {
        printf("%d %d %d %d\n", OTA_DELTA_INITIALS, OTA_DELTA_HIT_SETS, OTA_DELTA_WEIGHT_SETS, OTA_DELTA_MIX_INPUTS);
        return 0;
    }
    if (count == 3 && strcmp(arguments[1], "record") == 0) return record(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "cost") == 0) return cost(arguments[2]);
    if (count == 6 && strcmp(arguments[1], "fit") == 0) {
        return fit(arguments[2], arguments[3], arguments[4], (uint32_t)strtoul(arguments[5], NULL, 10));
    }
    fprintf(
        stderr,
        "trainer layout | trainer record TABLES | trainer cost TABLES | trainer fit TABLES NEW_TABLES STEPS EPOCHS\n");
    return 2;
}
