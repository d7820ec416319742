/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_INFO_H
#define AGENT_INFO_H

#include <stdint.h>

/* Writes the body of an INFO message (docs/spec/serial_link.md section 2.1) into `size` bytes; returns its length. */
uint32_t info_write(uint8_t *out, uint32_t size);

#endif
