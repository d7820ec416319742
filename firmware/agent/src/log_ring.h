/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_LOG_RING_H
#define AGENT_LOG_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/report.h"

/* Log lines that wait for a check-in, in RAM. Those that were sent under a report id stay as they are until the server
 * has acknowledged it; when there is no room the oldest of the others goes. */
enum { LOG_RING_LINES = 12, LOG_RING_TEXT_MAX = 100 };

void log_ring_add(uint8_t level, const char *text, uint32_t len);

/* The lines for the next report, and its id; they stay valid until the next call of log_ring_add or
 * log_ring_take_acknowledgement. Returns how many; 0 also when no report id can be had. */
uint32_t log_ring_lines(struct ota_report_line lines[LOG_RING_LINES], uint32_t now_ms, uint32_t *report_id);

/* How many of them went into the report. False: they were sent before, and a part of them must not go under this id. */
bool log_ring_take_sent(uint32_t count);

void log_ring_take_acknowledgement(uint32_t report_id);

#endif
