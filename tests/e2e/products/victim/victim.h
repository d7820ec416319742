/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VICTIM_H
#define VICTIM_H

enum victim_failure {
    VICTIM_SOUND,
    VICTIM_HANG,      /* product_loop() does not return */
    VICTIM_UNDEFINED, /* an instruction that does not exist */
    VICTIM_NULL_CALL, /* a jump to address 0 */
    VICTIM_NO_MEMORY, /* a read where there is no memory */
    VICTIM_RESTART,   /* a software reset */
};

/* What this version does by itself. */
extern const enum victim_failure victim_begins_with;

#endif
