/* SPDX-License-Identifier: Apache-2.0 */
#include "victim.h"

const enum victim_failure victim_begins_with = VICTIM_SOUND;
