/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TRANSPORT_H
#define AGENT_TRANSPORT_H

#include <stdint.h>

#include "ota/bytes.h"
#include "ota/sha256.h"

/* What is asked of the server: docs/spec/device_protocol.md. */
enum exchange {
    EXCHANGE_OPEN,     /* an opening request, at most 192 bytes */
    EXCHANGE_CHECK_IN, /* a sealed report, at most 1,008 bytes */
};

/* A way to the server, as the agent sees it. Nothing here is trusted: messages are signed or sealed, patches and key
 * sets are known by their digests. Neither function waits; a message may be lost, and nobody says so. Answers come back
 * through check_in_take_answer(), bytes through download_take_data() or keysets_take_data(). */
struct transport {
    /* Sends a message. One exchange is under way at a time; `number` tells its answer from those of earlier ones. */
    void (*send)(enum exchange exchange, uint16_t number, struct ota_span message);

    /* Asks for `len` bytes from `off` of what has this digest: 1 to FETCH_BYTES_MAX. At most one is open. */
    void (*fetch)(const uint8_t digest[OTA_SHA256_LEN], uint32_t off, uint16_t len);
};

enum { FETCH_BYTES_MAX = 1020 };

#endif
