/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_H
#define CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

/* Decides whether to heat. Temperatures in hundredths of a degree. */
struct controller {
    bool is_heating;
    bool has_switched;
    uint32_t switched_ms;
};

void controller_start(struct controller *controller);

/* Returns whether to heat now. */
bool controller_update(struct controller *controller, int32_t air_cc, int32_t target_cc, uint32_t now_ms);

#endif
