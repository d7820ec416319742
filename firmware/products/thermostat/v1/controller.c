/* SPDX-License-Identifier: Apache-2.0 */
#include "controller.h"

void controller_start(struct controller *controller) {
    controller->is_heating = false;
    controller->has_switched = false;
    controller->switched_ms = 0;
}

bool controller_update(struct controller *controller, int32_t air_cc, int32_t target_cc, uint32_t now_ms) {
    bool wanted = air_cc < target_cc;
    if (wanted != controller->is_heating) {
        controller->is_heating = wanted;
        controller->has_switched = true;
        controller->switched_ms = now_ms;
    }
    return controller->is_heating;
}
