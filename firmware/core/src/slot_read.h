/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLOT_READ_H
#define SLOT_READ_H

#include <stdint.h>

#include "ota/flash.h"
#include "ota/reloc.h"
#include "ota/status.h"

/* Copies the image's [off, off + len) out of a slot in canonical form. The range lies inside the slot. */
OTA_MUST_CHECK enum ota_status slot_read(const struct ota_flash *flash, uint32_t slot_addr, struct ota_reloc *reloc,
                                         uint32_t off, void *out, uint32_t len);

#endif
