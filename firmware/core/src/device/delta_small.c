/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/delta.h"

#include "delta_bits.h"
#include "delta_input.h"
#include "delta_repeats.h"

/* The decoder as a device has it, but for what is compiled for speed: in one piece and with -fwhole-program, so that
 * the compiler sees each call of a function and makes 300 bytes less of them. What others call is named here. */
#define ENTRY(function) __attribute__((externally_visible)) __typeof__(function) function

ENTRY(ota_delta_init);
ENTRY(ota_delta_push);
ENTRY(ota_delta_finish);
ENTRY(ota_delta_is_done);
ENTRY(ota_delta_saved_len);
ENTRY(ota_delta_save);
ENTRY(ota_delta_resume);

ENTRY(ota_delta_input_next);
ENTRY(ota_delta_read_bit);
ENTRY(ota_delta_note_substitution);

#include "delta.c"
#include "delta_bits.c"
#include "delta_copy.c"
#include "delta_gap.c"
#include "delta_header.c"
#include "delta_input.c"
#include "delta_map.c"
#include "delta_model.c"
#include "delta_output.c"
#include "delta_place.c"
#include "delta_predict.c"
#include "delta_repeats.c"
#include "delta_save.c"
#include "delta_source.c"
#include "delta_table.c"
#include "delta_thumb.c"
#include "delta_unit.c"
