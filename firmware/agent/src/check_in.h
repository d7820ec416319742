/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CHECK_IN_H
#define AGENT_CHECK_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

/* Keeps a session with the server and checks in: docs/spec/device_protocol.md. Without identity page or key set it
 * never begins; while an update over the local link runs it is silent. A message that gets no answer in time is given
 * up, and a new one follows after a pause that doubles from 5 s to an hour. */
void check_in_start(const struct transport *transport);
void check_in_poll(void);

/* An answer to an exchange; `http_status` is 0 when the server was not reached. Every other one than the answer waited
 * for changes nothing. */
void check_in_take_answer(enum exchange exchange, uint16_t number, uint16_t http_status, struct ota_span untrusted);

/* A message is under way, or key sets are: no bytes of a patch are to be asked for now. */
bool check_in_is_busy(void);

/* There is something to tell: the next check-in follows at once, unless the server does not answer. */
void check_in_soon(void);

/* The same, at most once a second, and even while the server holds its answer back: it answers the newest message. */
void check_in_with_news(void);

#endif
