/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_FUNCTIONS_H
#define AGENT_FUNCTIONS_H

#include <stdint.h>

#include "ota/bytes.h"
#include "ota/status.h"

enum { FUNCTIONS_MAX = 15 };

/* Names of the functions that there are. */
uint32_t functions_names(struct ota_span names[FUNCTIONS_MAX]);

/* Takes a CALL message and answers it. A call with the id of the last one is not done again: it gets the same answer.
 */
void functions_take_call(const uint8_t *untrusted, uint32_t len);

/* Calls a function by its name. OTA_ERR_NOT_FOUND: there is none of that name; OTA_ERR_BUFFER: the argument is too
 * long. */
OTA_MUST_CHECK enum ota_status functions_call(struct ota_span name, struct ota_span argument, int32_t *result);

#endif
