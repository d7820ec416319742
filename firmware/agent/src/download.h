/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOWNLOAD_H
#define AGENT_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/sha256.h"

/* One update: takes an offer, fetches the patch in pieces, decodes it into the other slot, checks the image, stages it and
 * restarts. At most one FETCH is open, and none while flash is busy, so that no byte is sent to a CPU that stalls.
 * A cut is resumed from the checkpoint in the record store when the same patch is offered again. */
void download_take_offer(const uint8_t *untrusted, uint32_t len);
void download_take_data(const uint8_t *untrusted, uint32_t len);

/* Repeats a FETCH that was not answered; gives up after a while, keeping the checkpoint. */
void download_poll(void);

/* Whether an update is being downloaded: the patch's digest, and how many of its bytes have come. */
bool download_progress(uint8_t digest[OTA_SHA256_LEN], uint32_t *patch_off);

#endif
