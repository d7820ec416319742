/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SERIAL_TRANSPORT_H
#define AGENT_SERIAL_TRANSPORT_H

#include <stdint.h>

#include "transport.h"

/* The way to the server over the serial link: a gateway carries OPEN, CHECK_IN and FETCH there and their answers back.
 */
extern const struct transport serial_transport;

/* Takes the body of an OPEN_ANSWER or CHECK_IN_ANSWER. */
void serial_transport_take_answer(enum exchange exchange, const uint8_t *untrusted, uint32_t len);

/* Takes the body of a DATA message: to whoever has a FETCH open. */
void serial_transport_take_data(const uint8_t *untrusted, uint32_t len);

#endif
