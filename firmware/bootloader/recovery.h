/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOOTLOADER_RECOVERY_H
#define BOOTLOADER_RECOVERY_H

#include "ota/image.h"
#include "ota/keyset.h"

/* Serial recovery: docs/spec/serial_link.md section 3. Waits for ever for files by YMODEM on the console; restarts the
 * chip when an image has been accepted. `device` is what the device asks of an image, `roots` the identity page's
 * (NULL: there is no identity page, so no first key set can be accepted). */
_Noreturn void recovery_run(const struct ota_image_requirements *device, const struct ota_roots *roots);

#endif
