/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdbool.h>
#include <stdint.h>

/* A digital thermometer with its noise, and the filter that takes most of it out again. */
struct sensor {
    uint32_t noise;
    int32_t filtered_mc;
    bool has_reading;
};

void sensor_start(struct sensor *sensor);

/* One reading of the air, in hundredths of a degree. */
int32_t sensor_read(struct sensor *sensor, int32_t air_mc);

#endif
