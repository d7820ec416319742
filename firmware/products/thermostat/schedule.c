/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "number.h"
#include "ota/bytes.h"

enum { DAYS = 7, DAY_MINUTES = 24 * 60 };

static bool take_day(const char **text, uint32_t *day) {
    static const char names[DAYS][3] = {"mo", "tu", "we", "th", "fr", "sa", "su"};
    for (uint32_t i = 0; i < DAYS; i++) {
        const char *at = *text;
        if (number_take_char(&at, names[i][0]) && number_take_char(&at, names[i][1])) {
            *text = at;
            *day = i;
            return true;
        }
    }
    return false;
}

static bool take_time(const char **text, uint32_t *minute) {
    uint32_t hours;
    uint32_t minutes;
    if (!number_take(text, 2, &hours) || !number_take_char(text, ':') || !number_take(text, 2, &minutes)) return false;
    *minute = hours * 60u + minutes;
    return hours < 24 && minutes < 60;
}

static bool take_point(const char **text, struct schedule_point *point) {
    uint32_t day;
    uint32_t minute;
    int32_t target_cc;
    number_skip_spaces(text);
    if (!take_day(text, &day)) return false;
    number_skip_spaces(text);
    if (!take_time(text, &minute)) return false;
    number_skip_spaces(text);
    if (!number_take_temperature(text, &target_cc)) return false;
    number_skip_spaces(text);
    point->minute = (uint16_t)(day * DAY_MINUTES + minute);
    point->target_cc = (int16_t)target_cc;
    return true;
}

static bool may_follow(const struct schedule *schedule, const struct schedule_point *point) {
    if (schedule->count == SCHEDULE_POINTS_MAX || point->minute >= SCHEDULE_WEEK_MINUTES) return false;
    return schedule->count == 0 || schedule->points[schedule->count - 1].minute < point->minute;
}

bool schedule_parse(struct schedule *schedule, const char *text) {
    struct schedule parsed = {0};
    number_skip_spaces(&text);
    while (*text != '\0') {
        struct schedule_point point;
        if (!take_point(&text, &point) || !may_follow(&parsed, &point)) return false;
        parsed.points[parsed.count++] = point;
        if (*text != '\0' && !number_take_char(&text, ',')) return false;
    }
    *schedule = parsed;
    return true;
}

bool schedule_target(const struct schedule *schedule, uint32_t minute, int32_t *target_cc) {
    if (schedule->count == 0) return false;
    uint32_t ruling = schedule->count - 1;
    for (uint32_t i = 0; i < schedule->count && schedule->points[i].minute <= minute; i++) ruling = i;
    *target_cc = schedule->points[ruling].target_cc;
    return true;
}

uint32_t schedule_to_bytes(const struct schedule *schedule, uint8_t *out) {
    for (uint32_t i = 0; i < schedule->count; i++) {
        ota_store16_le(out + SCHEDULE_POINT_LEN * i, schedule->points[i].minute);
        ota_store16_le(out + SCHEDULE_POINT_LEN * i + 2, (uint16_t)schedule->points[i].target_cc);
    }
    return schedule->count * SCHEDULE_POINT_LEN;
}

bool schedule_from_bytes(struct schedule *schedule, const uint8_t *bytes, uint32_t len) {
    struct schedule loaded = {0};
    if (len % SCHEDULE_POINT_LEN != 0) return false;
    for (uint32_t off = 0; off < len; off += SCHEDULE_POINT_LEN) {
        struct schedule_point point = {
            .minute = ota_load16_le(bytes + off),
            .target_cc = (int16_t)ota_load16_le(bytes + off + 2),
        };
        if (!may_follow(&loaded, &point)) return false;
        loaded.points[loaded.count++] = point;
    }
    *schedule = loaded;
    return true;
}
