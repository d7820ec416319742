/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_RELOC_H
#define OTA_RELOC_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/status.h"

/* Relocation table: docs/spec/image.md section 3. */
enum {
    OTA_RELOC_BLOCK_LEN = 4096,
    OTA_RELOC_MAX_LEN = 65535,
    OTA_RELOC_WINDOW_LEN = 32,
};

/* Reads the table through a function shaped like ota_flash.read (with `at` = the address of the table) or like
 * ota_delta_port.read_target (with `at` = reloc_start). Remembers its place: walking through an image in rising order
 * reads each list once; jumping costs one list, of at most 1,024 entries. */
struct ota_reloc {
    void *ctx;
    enum ota_status (*read)(void *ctx, uint32_t at, void *out, uint32_t len);
    uint32_t at;
    uint32_t len;         /* of the table */
    uint32_t reloc_start; /* words below are covered */

    /* Place in the lists; list offsets are from the table's start. No relocated word lies in [from, word). */
    uint32_t block;    /* whose list is open; UINT32_MAX: none */
    uint32_t list_pos; /* next gap to read */
    uint32_t list_end;
    uint32_t from;
    uint32_t word; /* a relocated word, or the block's end when its list is used up */

    /* Table bytes [window_off, window_off + window_len). */
    uint32_t window_off;
    uint32_t window_len;
    uint8_t window[OTA_RELOC_WINDOW_LEN];
};

void ota_reloc_init(struct ota_reloc *reloc, enum ota_status (*read)(void *ctx, uint32_t at, void *out, uint32_t len),
                    void *ctx, uint32_t at, uint32_t len, uint32_t reloc_start);

/* Every rule of the format: OTA_ERR_RELOC. The functions below may only be used on a table that passed, and still never
 * leave the table or loop when it did not. */
OTA_MUST_CHECK enum ota_status ota_reloc_check(struct ota_reloc *reloc);

/* The first relocated word at `off` or behind it, and below `end`: its offset, or `end` when there is none. */
OTA_MUST_CHECK enum ota_status ota_reloc_find(struct ota_reloc *reloc, uint32_t off, uint32_t end, uint32_t *word_off);

/* Adds `offset` (modulo 2^32) to each relocated word in `bytes`, which hold the image's [off, off + len).
 * `off` and `len` are multiples of 4; bytes at reloc_start and behind it are left alone. */
OTA_MUST_CHECK enum ota_status ota_reloc_span(struct ota_reloc *reloc, uint32_t off, uint8_t *bytes, uint32_t len,
                                              uint32_t offset);

#endif
