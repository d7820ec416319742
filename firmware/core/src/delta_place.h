/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_PLACE_H
#define OTA_DELTA_PLACE_H

#include "delta_model.h"
#include "ota/delta.h"

/* Places that references name, where the map does not know them: docs/spec/patch.md section 8. */

enum { OTA_DELTA_NOWHERE = 1 }; /* no even place */

/* An even place in the image. `predicted`: where it would be; `from`: the even place that the source names, or NOWHERE:
 * references that were mispredicted have often moved by the same distance. */
uint32_t ota_delta_place(struct ota_delta *delta, uint32_t predicted, uint32_t from, uint32_t wanted);

/* An even place, or address, by its distance from `predicted`, in numbers of this kind. */
uint32_t ota_delta_place_near(struct ota_delta *delta, enum ota_delta_number kind, uint32_t predicted, uint32_t wanted);

/* Makes `value`, which was at `index` of the recent ones, the first; those before it move back. */
void ota_delta_move_to_front(uint32_t *recent, uint32_t index, uint32_t value);

#endif
