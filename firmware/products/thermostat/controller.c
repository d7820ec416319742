/* SPDX-License-Identifier: Apache-2.0 */
#include "controller.h"

enum {
    HYSTERESIS_CC = 20, /* above and below the target nothing changes */
    ON_MIN_MS = 20000,  /* a burner that has started wants to run */
    OFF_MIN_MS = 15000, /* and to cool down before it starts again */
};

void controller_start(struct controller *controller) {
    controller->is_heating = false;
    controller->has_switched = false;
    controller->switched_ms = 0;
}

static bool may_switch(const struct controller *controller, uint32_t now_ms) {
    if (!controller->has_switched) return true;
    uint32_t least_ms = controller->is_heating ? ON_MIN_MS : OFF_MIN_MS;
    return now_ms - controller->switched_ms >= least_ms;
}

static bool wants_heat(const struct controller *controller, int32_t air_cc, int32_t target_cc) {
    if (air_cc < target_cc - HYSTERESIS_CC) return true;
    if (air_cc > target_cc + HYSTERESIS_CC) return false;
    return controller->is_heating;
}

bool controller_update(struct controller *controller, int32_t air_cc, int32_t target_cc, uint32_t now_ms) {
    bool wanted = wants_heat(controller, air_cc, target_cc);
    if (wanted != controller->is_heating && may_switch(controller, now_ms)) {
        controller->is_heating = wanted;
        controller->has_switched = true;
        controller->switched_ms = now_ms;
    }
    return controller->is_heating;
}
