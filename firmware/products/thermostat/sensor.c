/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor.h"

enum {
    STEP_MC = 62,   /* 1/16 degree, as common sensors resolve */
    NOISE_MC = 120, /* peak to peak */
    FILTER = 8,
};

/* Linear congruential generator: enough for noise, and the same in every run. */
static int32_t noise_next(struct sensor *sensor) {
    sensor->noise = sensor->noise * 1664525u + 1013904223u;
    return (int32_t)(sensor->noise >> 16) % NOISE_MC - NOISE_MC / 2;
}

void sensor_start(struct sensor *sensor) {
    sensor->noise = 1;
    sensor->filtered_mc = 0;
    sensor->has_reading = false;
}

int32_t sensor_read(struct sensor *sensor, int32_t air_mc) {
    int32_t raw_mc = (air_mc + noise_next(sensor)) / STEP_MC * STEP_MC;
    if (!sensor->has_reading) sensor->filtered_mc = raw_mc;
    sensor->has_reading = true;
    sensor->filtered_mc += (raw_mc - sensor->filtered_mc) / FILTER;
    return sensor->filtered_mc / 10;
}
