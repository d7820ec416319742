/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OTA_SESSION_H
#define OTA_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/aead.h"
#include "ota/bytes.h"
#include "ota/cose.h"
#include "ota/identity_page.h"
#include "ota/keyset.h"
#include "ota/keyset_ref.h"
#include "ota/sha256.h"
#include "ota/status.h"

/* The device's end of a session: docs/spec/device_protocol.md sections 1 and 2.
 *
 *     NONE --begin--> OPENING --finish--> READY --seal--> WAITING --open--> READY
 *
 * seal is also allowed while WAITING: the message before is given up, its answer can no longer be opened. begin starts
 * anew from anywhere, drop goes back to NONE. A refused answer changes nothing: the true one may still come. */
enum ota_session_phase {
    OTA_SESSION_NONE,
    OTA_SESSION_OPENING, /* an opening request is under way */
    OTA_SESSION_READY,
    OTA_SESSION_WAITING, /* for the answer to the message with `counter` */
};

enum {
    OTA_SESSION_ID_LEN = 8,
    OTA_SESSION_SECRET_LEN = 32,
    OTA_SESSION_NONCE_LEN = 16,
    OTA_SESSION_REQUEST_MAX = 192, /* an opening request */
    OTA_SESSION_MESSAGE_MAX = 1008,
    OTA_SESSION_OVERHEAD_MAX = 1 + 5 + 17 + 3 + OTA_AEAD_TAG_LEN, /* of a message; the rest is the report */
    OTA_SESSION_PLAINTEXT_MAX = OTA_SESSION_MESSAGE_MAX - OTA_SESSION_OVERHEAD_MAX,
};

/* Lives in RAM only: a reset ends the session. Holds secrets: drop it when it is no longer needed. */
struct ota_session {
    enum ota_session_phase phase;
    uint32_t counter;                             /* of the last message; 0 before the first */
    uint8_t share_secret[OTA_SESSION_SECRET_LEN]; /* while OPENING */
    uint8_t request_digest[OTA_SHA256_LEN];
    uint8_t id[OTA_SESSION_ID_LEN];
    uint8_t key[OTA_AEAD_KEY_LEN];
};

void ota_session_init(struct ota_session *session);

/* Wipes everything: after the server refused a message, and when the counters are used up. */
void ota_session_drop(struct ota_session *session);

/* What an opening says about the device. */
struct ota_session_device {
    const struct ota_identity_page *identity;
    uint16_t platform_id;
    uint32_t keyset_version; /* of the current key set; 0 without */
};

/* Writes the request that opens a session. `share_secret` and `nonce` are fresh random bytes; who calls wipes his copy.
 * OTA_ERR_BUFFER: `size` is below what the request needs; at most OTA_SESSION_REQUEST_MAX. */
OTA_MUST_CHECK enum ota_status ota_session_begin(struct ota_session *session, const struct ota_session_device *device,
                                                 const uint8_t share_secret[OTA_SESSION_SECRET_LEN],
                                                 const uint8_t nonce[OTA_SESSION_NONCE_LEN], uint8_t *out,
                                                 uint32_t size, uint32_t *len);

/* The answer to an opening, its form checked and nothing of it believed: what to do with the references is for the
 * caller, before ota_session_finish. `payload` and `signature` point into the bytes that were read. */
struct ota_session_answer {
    struct ota_span payload;
    const uint8_t *signature; /* 64 bytes */
    uint8_t key_id[OTA_KEY_ID_LEN];
    uint8_t session_id[OTA_SESSION_ID_LEN];
    uint8_t share[32];
    uint32_t keyset_count;
    struct ota_keyset_ref keysets[OTA_KEYSET_REF_MAX];
};

/* OTA_ERR_MESSAGE: anything that is not of the form. */
OTA_MUST_CHECK enum ota_status ota_session_read_answer(const uint8_t *untrusted, uint32_t len,
                                                       struct ota_session_answer *answer);

/* Believes the answer when an online key of `current` or `previous` (each may be NULL) signed it for this very request.
 * `is_by_current`: `previous` was not needed, and is not needed from now on.
 * OTA_ERR_STATE: no opening is under way. OTA_ERR_NOT_FOUND: neither set has the key it names. OTA_ERR_SIGNATURE: the
 * signature does not hold. OTA_ERR_MESSAGE: a share of small order. */
OTA_MUST_CHECK enum ota_status ota_session_finish(struct ota_session *session, const struct ota_session_answer *answer,
                                                  const struct ota_keyset *current, const struct ota_keyset *previous,
                                                  bool *is_by_current);

/* Makes the next message of `plaintext`, which may lie anywhere in `out` too. `size` must be OTA_SESSION_OVERHEAD_MAX
 * more than the plaintext. OTA_ERR_STATE: no session, or its counters are used up: open a new one. OTA_ERR_BUFFER:
 * longer than `size` allows, or than a message may be. */
OTA_MUST_CHECK enum ota_status ota_session_seal(struct ota_session *session, struct ota_span plaintext, uint8_t *out,
                                                uint32_t size, uint32_t *len);

/* Opens the answer to the last message in place; `plaintext` points into it.
 * OTA_ERR_STATE: none is waited for. OTA_ERR_MESSAGE: not of the form. OTA_ERR_SIGNATURE: it cannot be opened. */
OTA_MUST_CHECK enum ota_status ota_session_open(struct ota_session *session, uint8_t *untrusted, uint32_t len,
                                                struct ota_span *plaintext);

#endif
