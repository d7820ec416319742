/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_SLOT_WRITER_H
#define OTA_SLOT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/flash.h"
#include "ota/reloc.h"
#include "ota/status.h"

/* Makes a slot blank: erases each of its sectors that is not. cut: the slot holds nothing bootable, call again. */
OTA_MUST_CHECK enum ota_status ota_slot_erase(const struct ota_flash *flash, uint32_t slot_addr);

/* Puts canonical bytes into a slot, raised by the relocation table in slot B. Order: the table, then [0, reloc_start)
 * rising, then the rest. Writing the same bytes again after a power cut goes on where the cut was: a word that reads
 * back equal is skipped, a torn one is completed. */
struct ota_slot_writer {
    const struct ota_flash *flash;
    uint32_t slot_addr;
    uint32_t len; /* of the image */
    bool is_table_checked;
    struct ota_reloc reloc;
};

/* Sizes of the image to be written, as announced: reloc_start, ext_start, len = ext_start + 556.
 * OTA_ERR_IMAGE_LENGTH when they cannot be those of an image in a slot. Writes nothing. */
OTA_MUST_CHECK enum ota_status ota_slot_writer_init(struct ota_slot_writer *writer, const struct ota_flash *flash,
                                                    uint32_t slot_addr, uint32_t reloc_start, uint32_t ext_start);

/* Writes canonical bytes to [off, off + len); both are multiples of 4. The first write below reloc_start checks the
 * table in flash (OTA_ERR_RELOC). OTA_ERR_FLASH_PROGRAM: a word would need a bit set: the slot must be erased first. */
OTA_MUST_CHECK enum ota_status ota_slot_writer_write(struct ota_slot_writer *writer, uint32_t off, const void *bytes,
                                                     uint32_t len);

/* Canonical bytes that were written before. Any off and len inside the image. */
OTA_MUST_CHECK enum ota_status ota_slot_writer_read(struct ota_slot_writer *writer, uint32_t off, void *out,
                                                    uint32_t len);

#endif
