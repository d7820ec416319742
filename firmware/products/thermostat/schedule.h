/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SCHEDULE_POINTS_MAX = 28, /* four a day */
    SCHEDULE_WEEK_MINUTES = 7 * 24 * 60,
    SCHEDULE_POINT_LEN = 4,
    SCHEDULE_BYTES_MAX = SCHEDULE_POINTS_MAX * SCHEDULE_POINT_LEN,
};

/* From `minute` of the week (0 is Monday, 00:00) on, `target_cc` hundredths of a degree. */
struct schedule_point {
    uint16_t minute;
    int16_t target_cc;
};

/* Points rise. Without any the set-point rules. */
struct schedule {
    uint32_t count;
    struct schedule_point points[SCHEDULE_POINTS_MAX];
};

/* Parses "mo 06:30 21.5, mo 22:00 17, ..." ("" for none); false, and nothing changed, for anything else: an unknown
 * day, a time that is none, points that do not rise, too many of them. */
bool schedule_parse(struct schedule *schedule, const char *text);

/* The target at this minute of the week. The last point of a week rules until the first of the next. */
bool schedule_target(const struct schedule *schedule, uint32_t minute, int32_t *target_cc);

/* As it is kept in storage: per point u16 minute, i16 target. */
uint32_t schedule_to_bytes(const struct schedule *schedule, uint8_t *out);
bool schedule_from_bytes(struct schedule *schedule, const uint8_t *bytes, uint32_t len);

#endif
