/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H

#include <stdint.h>

#include "ota/answer.h"

/* Settings that the server gives, in the record store: docs/spec/boot.md section 6. Those that say what is stored
 * already are not written again. */
void settings_take(const struct ota_answer_setting *settings, uint32_t count);

/* A setting that is a number from `lowest` to `highest`; `otherwise` when there is none. */
uint32_t settings_number(uint8_t key, uint32_t lowest, uint32_t highest, uint32_t otherwise);

#endif
