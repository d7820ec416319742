/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_DELTA_PATHS_H
#define MUSTER_DELTA_PATHS_H

#include "delta_text.h"

/* Paths through the target, as steps that point back to the step before: many paths share their beginnings. A step that
 * no path uses any more is given back, so the memory is that of the paths still followed. */

#define MUSTER_LITERAL INT32_MAX /* shift of a step that begins literals */

enum { MUSTER_RECENT = 4 };

struct muster_step {
    uint32_t position; /* first target byte that it makes */
    int32_t shift;     /* source less position, in the text */
    uint32_t parent;   /* or MUSTER_NOWHERE */
    uint32_t uses;
    int32_t recent[MUSTER_RECENT]; /* distinct shifts of the copies up to here, the newest first */
};

struct muster_paths {
    struct muster_step *steps;
    uint32_t size;
    uint32_t used; /* from here on never used */
    uint32_t free; /* first of the given back, linked by `parent` */
    bool failed;   /* memory was short; what the steps say is then meaningless */
};

bool muster_paths_init(struct muster_paths *paths);
void muster_paths_free(struct muster_paths *paths);

/* A new step after `parent`, in use once. */
uint32_t muster_paths_add(struct muster_paths *paths, uint32_t parent, uint32_t position, int32_t shift);
void muster_paths_release(struct muster_paths *paths, uint32_t step);

#endif
