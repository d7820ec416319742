/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_COUNTERS_H
#define AGENT_COUNTERS_H

#include <stdint.h>

#include "ota/status.h"

/* Numbers that outlive a reset. Starts are counted in a backup register and move to the record store at the first
 * answer of the server, or after a minute: a board that only blinks writes little flash. Those that a loss of power
 * ends before are lost. */
void counters_start(void);
void counters_poll(void);

/* Moves what is counted to the record store. */
void counters_save(void);

uint32_t counters_boots(void);

/* Starts after a watchdog reset or a fault. */
uint32_t counters_resets(void);

/* Seconds since the start; unlike agent_time_ms() it does not begin anew after 49 days. */
uint32_t counters_uptime_s(void);

/* A number that no report of this device has had. */
OTA_MUST_CHECK enum ota_status counters_new_report_id(uint32_t *report_id);

#endif
