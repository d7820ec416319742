/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CALLS_H
#define AGENT_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/answer.h"
#include "ota/report.h"

/* Calls that the server asks for, and its signal. Each is done once between two resets, however often it is asked for;
 * its result is told until the server has acknowledged it. */
enum { CALLS_RESULTS_MAX = OTA_ANSWER_RESULTS_MAX };

/* Does them; true when there are results to tell. What there is no room for waits until the server asks again. */
bool calls_take(const struct ota_answer *answer);

uint32_t calls_results(struct ota_report_result results[CALLS_RESULTS_MAX]);

void calls_take_acknowledgement(uint32_t call_id);

#endif
