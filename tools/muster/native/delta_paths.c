/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_paths.h"

#include <stdlib.h>

enum {
    SIZE_FIRST = 4096,
    SIZE_MAX_STEPS = 1 << 20, /* 32 MiB; a path has a step in eight bytes or so, so images of 1 MiB stay far below */
};

bool muster_paths_init(struct muster_paths *paths) {
    *paths = (struct muster_paths){NULL, SIZE_FIRST, 0, MUSTER_NOWHERE, false};
    paths->steps = malloc(SIZE_FIRST * sizeof *paths->steps);
    return paths->steps != NULL;
}

void muster_paths_free(struct muster_paths *paths) { free(paths->steps); }

static bool grow(struct muster_paths *paths) {
    struct muster_step *steps = NULL;
    if (paths->size < SIZE_MAX_STEPS) steps = realloc(paths->steps, (size_t)paths->size * 2 * sizeof *steps);
    if (steps == NULL) return false;
    paths->steps = steps;
    paths->size *= 2;
    return true;
}

static uint32_t take(struct muster_paths *paths) {
    uint32_t step = paths->free;
    if (step != MUSTER_NOWHERE) {
        paths->free = paths->steps[step].parent;
        return step;
    }
    if (paths->used == paths->size && !grow(paths)) {
        paths->failed = true;
        return 0;
    }
    return paths->used++;
}

/* The newest first; a shift that was there already moves to the front. */
static void remember(int32_t *recent, int32_t shift) {
    uint32_t at = 0;
    while (at < MUSTER_RECENT - 1 && recent[at] != shift) at++;
    memmove(recent + 1, recent, at * sizeof *recent);
    recent[0] = shift;
}

uint32_t muster_paths_add(struct muster_paths *paths, uint32_t parent, uint32_t position, int32_t shift) {
    uint32_t added = take(paths);
    struct muster_step *step = &paths->steps[added];
    if (parent != MUSTER_NOWHERE) {
        paths->steps[parent].uses++;
        memcpy(step->recent, paths->steps[parent].recent, sizeof step->recent);
    } else {
        memset(step->recent, 0, sizeof step->recent);
    }
    step->position = position;
    step->shift = shift;
    step->parent = parent;
    step->uses = 1;
    if (shift != MUSTER_LITERAL) remember(step->recent, shift);
    return added;
}

void muster_paths_release(struct muster_paths *paths, uint32_t step) {
    while (step != MUSTER_NOWHERE && --paths->steps[step].uses == 0) {
        uint32_t parent = paths->steps[step].parent;
        paths->steps[step].parent = paths->free;
        paths->free = step;
        step = parent;
    }
}
