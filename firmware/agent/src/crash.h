/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CRASH_H
#define AGENT_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/report.h"

/* Crash records: written to the record store at the start after a crash, kept until the server has acknowledged them.
 * There are at most eight; a ninth replaces the oldest. Call after counters_start(). */
void crash_start(void);

/* The oldest crash that is not acknowledged. */
bool crash_oldest(struct ota_report_crash *crash);

void crash_take_acknowledgement(uint32_t report_id);

#endif
