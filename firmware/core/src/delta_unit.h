/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_UNIT_H
#define OTA_DELTA_UNIT_H

#include "delta_predict.h"
#include "ota/delta.h"

/* Units of copies: docs/spec/patch.md section 8. */

/* Makes the next unit of the copy in progress: as predicted when its chunk is, else as the patch says. */
void ota_delta_unit_step(struct ota_delta *delta);

/* For those who look ahead: what the copy in progress will probably make next; and makes it so. */
OTA_MUST_CHECK enum ota_status ota_delta_unit_look(struct ota_delta *delta, struct ota_delta_prediction *prediction);
OTA_MUST_CHECK enum ota_status ota_delta_unit_as_predicted(struct ota_delta *delta);

/* Adds a halfword or a word to the target and remembers it: the context of what comes next. */
void ota_delta_put_halfword(struct ota_delta *delta, uint32_t halfword);
void ota_delta_put_word(struct ota_delta *delta, uint32_t word);

#endif
