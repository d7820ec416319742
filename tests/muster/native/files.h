/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILES_H
#define FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/delta.h"

struct file {
    uint8_t *bytes; /* memory exactly as long as the file: a byte too far is noticed */
    uint32_t len;
};

static inline struct file read_file(const char *path) {
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) exit(2);
    (void)fseek(stream, 0, SEEK_END);
    struct file file = {NULL, (uint32_t)ftell(stream)};
    rewind(stream);
    file.bytes = malloc(file.len + (file.len == 0));
    if (file.bytes == NULL || fread(file.bytes, 1, file.len, stream) != file.len) exit(2);
    (void)fclose(stream);
    return file;
}

/* What both programs are told of the base: `reloc_start check`, two numbers, the check's first byte the lowest. */
static inline struct ota_delta_base base_facts(const struct file *base, char **arguments) {
    struct ota_delta_base facts = {.layout = {base->len, (uint32_t)strtoul(arguments[0], NULL, 0)}};
    unsigned long check = strtoul(arguments[1], NULL, 0);
    for (uint32_t i = 0; i < sizeof facts.check; i++) facts.check[i] = (uint8_t)(check >> 8 * i);
    return facts;
}

#endif
