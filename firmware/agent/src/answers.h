/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_ANSWERS_H
#define AGENT_ANSWERS_H

#include <stdbool.h>

#include "ota/answer.h"

/* Does what an authentic answer says, key sets and the time of the next check-in left out. True when there is something
 * new to tell at once. */
bool answers_apply(const struct ota_answer *answer);

#endif
