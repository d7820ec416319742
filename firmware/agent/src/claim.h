/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CLAIM_H
#define AGENT_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/bytes.h"
#include "ota/status.h"

/* The claim code that a host gave to this device, told to the server until it has taken it:
 * docs/spec/device_protocol.md section 3.1, key 23. It is in the record store, so that a restart does not lose it. */
void claim_start(void);

/* A CLAIM message of a host; a code takes the place of the one before. */
OTA_MUST_CHECK enum ota_status claim_take(const uint8_t *untrusted, uint32_t len);

/* What to tell; false: there is nothing. */
bool claim_code(struct ota_span *code);

/* The server has taken the code that was told last. */
void claim_take_acknowledgement(void);

#endif
