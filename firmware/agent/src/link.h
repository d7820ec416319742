/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include <stdint.h>

#include "messages.h"

/* The serial link: takes frames from the console, hands each message to its service, sends answers. */
void link_start(void);
void link_poll(void);

void link_send(enum message_type type, const uint8_t *body, uint32_t len);

/* Frames that were broken, and bytes that the UART lost. */
uint32_t link_errors(void);

#endif
