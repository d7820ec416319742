/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CONSENT_H
#define AGENT_CONSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/answer.h"
#include "ota/report.h"

/* The product may put an offer of the server off, as long as the answer lets it: docs/spec/device_protocol.md section
 * 3.3. Nothing of it outlives a restart: the server offers again then, and counts from its first offer. */

/* An offer that the product may put off for `most_s` seconds from now; 0: it begins. */
void consent_take_offer(const struct ota_answer_offer *offer, uint32_t most_s);

/* The server takes an offer back. */
void consent_withdraw(uint32_t attempt);

/* Asks the product again when its time is over. */
void consent_poll(void);

/* What is put off, and for how much longer; false: nothing. */
bool consent_postponed(struct ota_report_postponed *postponed);

#endif
