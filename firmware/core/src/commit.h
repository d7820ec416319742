/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMIT_H
#define COMMIT_H

/* Written last: what stands before it counts from then on. No value that a torn write of it can leave equals it, and
 * erased flash does not. docs/spec/boot.md. */
enum { OTA_COMMIT = 0x0B00710C };

#endif
