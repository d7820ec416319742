/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_REPORTING_H
#define AGENT_REPORTING_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/answer.h"
#include "ota/status.h"

/* What this device reports, and what of it the server has: docs/spec/device_protocol.md section 3.1. */
void reporting_start(void);
void reporting_begin_session(void);

/* Writes the next report; it must be sent at once. */
OTA_MUST_CHECK enum ota_status reporting_write(uint8_t *out, uint32_t size, uint32_t *len);

/* The last report has been answered. Call before anything else is done with the answer. */
void reporting_take_answer(void);

/* What the server says it has counted: it is not told again. */
void reporting_take_acknowledgements(const struct ota_answer *answer);

/* A crash or events wait for their turn: a report holds one crash, and as many events as fit. */
bool reporting_has_more(void);

/* Seconds between check-ins, and how long an answer may be held back. */
uint32_t reporting_interval_s(void);
void reporting_set_interval(uint32_t interval_s);
uint32_t reporting_hold_s(void);

#endif
