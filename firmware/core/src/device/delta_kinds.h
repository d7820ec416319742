/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_KINDS_H
#define OTA_DELTA_KINDS_H

/* Which kinds of patches this decoder knows. A device takes images only, and has no code for others; the decoder of the
 * tools is compiled with a header of this name of its own (tools/muster/native). */
enum { OTA_DELTA_ONLY_IMAGES = 1 };

#endif
