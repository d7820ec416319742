/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_FUNCTIONS_H
#define AGENT_FUNCTIONS_H

#include <stdint.h>

/* Takes a CALL message and answers it. A call with the id of the last one is not done again: it gets the same answer. */
void functions_take_call(const uint8_t *untrusted, uint32_t len);

#endif
