/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_VARIABLES_H
#define AGENT_VARIABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/answer.h"
#include "ota/report.h"

/* Variables of the product's code, and those of them that the server has asked for. What was asked for is told in the
 * next report that is answered; a loss is healed by the server, which asks again. */
enum { VARIABLES_MAX = 20, VARIABLES_READINGS_MAX = OTA_ANSWER_READS_MAX };

/* Names and types of the variables that there are. */
uint32_t variables_list(struct ota_report_variable list[VARIABLES_MAX]);

/* Takes what the server asks for; true when there is something to tell. */
bool variables_take_reads(const struct ota_answer_read *reads, uint32_t count);

/* The values as they are now. */
uint32_t variables_readings(struct ota_report_reading readings[VARIABLES_READINGS_MAX]);

/* So many of them went with a report that has been answered. */
void variables_take_told(uint32_t count);

#endif
