/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_DELTA_KINDS_H
#define OTA_DELTA_KINDS_H

/* Which kinds of patches this coder knows: all. firmware/core/src/device has the device's choice. */
enum { OTA_DELTA_ONLY_IMAGES = 0 };

#endif
