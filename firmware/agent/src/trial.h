/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TRIAL_H
#define AGENT_TRIAL_H

#include <stdint.h>

#include "ota/manifest.h"
#include "ota/status.h"

/* Keeps the deadline of a trial: when it passes without a confirmation the attempt is rejected (NO_CONTACT) and the
 * watchdog starves. To be called often. */
void trial_poll(void);

/* Ends the trial well: appends CONFIRMED. OTA_OK as well when the image is confirmed already; OTA_ERR_IDENTITY when
 * another image runs, OTA_ERR_STATE when the trial has been given up. */
OTA_MUST_CHECK enum ota_status trial_confirm(const uint8_t identity[OTA_IDENTITY_SHORT_LEN]);

/* Feeds the watchdog, unless the trial has been given up. */
void trial_feed_watchdog(void);

#endif
