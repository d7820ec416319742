/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/report.h"

/* Events of the product's code, kept in RAM until the server has acknowledged them. */
enum { EVENTS_MAX = 4 };

uint32_t events_list(struct ota_report_event events[EVENTS_MAX], uint32_t now_ms, uint32_t *report_id);

/* So many of them fitted; false: they are not what was sent before, so none may be sent. */
bool events_take_sent(uint32_t count);

void events_take_acknowledgement(uint32_t report_id);

/* Some wait to be told. */
bool events_are_waiting(void);

#endif
