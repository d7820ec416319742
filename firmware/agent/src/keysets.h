/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_KEYSETS_H
#define AGENT_KEYSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/keyset.h"
#include "ota/keyset_ref.h"
#include "transport.h"

/* Newer key sets: fetches what the server names, one after the other, and accepts what the roots have signed. */
void keysets_begin(const struct transport *transport, const struct ota_keyset_ref *refs, uint32_t count);

/* True when there is nothing left to fetch: all are accepted, or one could not be had or was refused. */
bool keysets_poll(void);
void keysets_cancel(void);

/* How many were accepted since keysets_begin(). */
uint32_t keysets_accepted(void);

bool keysets_are_fetching(void);
void keysets_take_data(uint32_t off, struct ota_span untrusted);

/* The set before the current one while its online keys still count: until a session with one of the current set's keys
 * has been opened. NULL when there is none. */
const struct ota_keyset *keysets_previous(void);

/* A session has been opened with a key of the current set. */
void keysets_prove_current(void);

#endif
