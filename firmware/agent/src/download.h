/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOWNLOAD_H
#define AGENT_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/answer.h"
#include "ota/report.h"
#include "ota/sha256.h"
#include "transport.h"

/* One update: takes an offer, fetches the patch in pieces, decodes it into the other slot, checks the image, stages it
 * and restarts. At most one FETCH is open, and none while flash is busy, so that no byte is sent to a CPU that stalls.
 * A cut is resumed from the checkpoint in the record store when the same patch is offered again. */
void download_start(const struct transport *transport);

/* An offer over the local link, for development devices; it is answered there. */
void download_take_offer(const uint8_t *untrusted, uint32_t len);

/* An offer of the server, for every device. One for the attempt that is at work, or has stopped, changes nothing. */
void download_take_server_offer(const struct ota_answer_offer *offer);

/* Whether the server's offer of this attempt is at work, or has stopped. */
bool download_knows(uint32_t attempt);

/* The server takes an offer back. */
void download_withdraw(uint32_t attempt);

/* The server has answered a check-in: what has stopped for want of a line goes on. */
void download_go_on(void);

void download_take_data(uint32_t off, struct ota_span untrusted);

/* Sends the next FETCH when the line is free, repeats one that was not answered; gives up after a while, keeping the
 * checkpoint. */
void download_poll(void);

/* Whether an update is being downloaded: the patch's digest, and how many of its bytes have come. */
bool download_progress(uint8_t digest[OTA_SHA256_LEN], uint32_t *patch_off);

/* Whether an update runs; one that the local link has offered needs the line for itself. */
bool download_is_active(void);
bool download_is_local(void);
bool download_is_fetching(void);

/* What there is to report of the server's offer; false when nothing. That it has stopped is told until
 * download_take_told(), which says that the server has answered a report of it. */
bool download_update(struct ota_report_update *update);
void download_take_told(void);

#endif
