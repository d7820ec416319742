/* SPDX-License-Identifier: Apache-2.0 */
#include <monocypher.h>
#include <stddef.h>
#include <string.h>

#include "message_map.h"
#include "ota/cbor.h"
#include "ota/hkdf.h"
#include "ota/session.h"

/* Opening a session: docs/spec/device_protocol.md section 1. */

enum { ANSWER_MAX = 1008 };

static const uint8_t protected_request[] = {0xA1, 0x01, 0x27};
/* Up to the key id. */
static const uint8_t protected_answer[] = {0xA2, 0x01, 0x27, 0x04, 0x48};
enum { PROTECTED_ANSWER_LEN = sizeof protected_answer + OTA_KEY_ID_LEN };

static const char aad_open[] = "muster.open";
static const char aad_opened[] = "muster.opened";
static const char info_session[] = "muster.session";

/* Writes the Sig_structure (RFC 9052 section 4.4) but for the payload's bytes, which follow it. */
enum { SIGNED_HEAD_MAX = 96 };

static enum ota_status write_signed_head(uint8_t out[SIGNED_HEAD_MAX], struct ota_span protected_header,
                                         struct ota_span aad, uint32_t payload_len, uint32_t *len) {
    struct ota_cbor_writer writer;
    ota_cbor_writer_init(&writer, out, SIGNED_HEAD_MAX);
    ota_cbor_write_array(&writer, 4);
    ota_cbor_write_text(&writer, "Signature1", 10);
    ota_cbor_write_bytes(&writer, protected_header.bytes, protected_header.len);
    ota_cbor_write_bytes(&writer, aad.bytes, aad.len);
    ota_cbor_write_bytes_head(&writer, payload_len);
    return ota_cbor_writer_finish(&writer, len);
}

static enum ota_status write_request_payload(const struct ota_session_device *device, const uint8_t share[32],
                                             const uint8_t nonce[OTA_SESSION_NONCE_LEN], uint8_t *out, uint32_t size,
                                             uint32_t *len) {
    const struct ota_identity_page *identity = device->identity;
    struct ota_cbor_writer writer;
    ota_cbor_writer_init(&writer, out, size);
    ota_cbor_write_map(&writer, 7);
    ota_cbor_write_uint(&writer, 1);
    ota_cbor_write_bytes(&writer, identity->device_id, sizeof identity->device_id);
    ota_cbor_write_uint(&writer, 2);
    ota_cbor_write_bytes(&writer, identity->device_public_key, sizeof identity->device_public_key);
    ota_cbor_write_uint(&writer, 3);
    ota_cbor_write_bytes(&writer, share, 32);
    ota_cbor_write_uint(&writer, 4);
    ota_cbor_write_bytes(&writer, nonce, OTA_SESSION_NONCE_LEN);
    ota_cbor_write_uint(&writer, 5);
    ota_cbor_write_uint(&writer, identity->product_id);
    ota_cbor_write_uint(&writer, 6);
    ota_cbor_write_uint(&writer, device->platform_id);
    ota_cbor_write_uint(&writer, 7);
    ota_cbor_write_uint(&writer, device->keyset_version);
    return ota_cbor_writer_finish(&writer, len);
}

static enum ota_status write_request(const struct ota_session_device *device, const uint8_t share[32],
                                     const uint8_t nonce[OTA_SESSION_NONCE_LEN], uint8_t *out, uint32_t size,
                                     uint32_t *len) {
    uint8_t payload[OTA_SESSION_REQUEST_MAX];
    uint8_t head[SIGNED_HEAD_MAX];
    uint8_t signature[OTA_ED25519_SIGNATURE_LEN];
    uint32_t payload_len;
    uint32_t head_len;
    struct ota_cbor_writer writer;
    TRY(write_request_payload(device, share, nonce, payload, sizeof payload, &payload_len));
    TRY(write_signed_head(head, (struct ota_span){protected_request, sizeof protected_request},
                          (struct ota_span){(const uint8_t *)aad_open, sizeof aad_open - 1}, payload_len, &head_len));
    const struct ota_span pieces[] = {{head, head_len}, {payload, payload_len}};
    ota_ed25519_sign(device->identity->device_seed, device->identity->device_public_key, pieces, 2, signature);

    ota_cbor_writer_init(&writer, out, size);
    ota_cbor_write_array(&writer, 4);
    ota_cbor_write_bytes(&writer, protected_request, sizeof protected_request);
    ota_cbor_write_map(&writer, 0);
    ota_cbor_write_bytes(&writer, payload, payload_len);
    ota_cbor_write_bytes(&writer, signature, sizeof signature);
    return ota_cbor_writer_finish(&writer, len);
}

void ota_session_init(struct ota_session *session) {
    memset(session, 0, sizeof *session);
    session->phase = OTA_SESSION_NONE;
}

void ota_session_drop(struct ota_session *session) {
    crypto_wipe(session, sizeof *session);
    session->phase = OTA_SESSION_NONE;
}

enum ota_status ota_session_begin(struct ota_session *session, const struct ota_session_device *device,
                                  const uint8_t share_secret[OTA_SESSION_SECRET_LEN],
                                  const uint8_t nonce[OTA_SESSION_NONCE_LEN], uint8_t *out, uint32_t size,
                                  uint32_t *len) {
    uint8_t share[32];
    ota_session_drop(session);
    crypto_x25519_public_key(share, share_secret);
    TRY(write_request(device, share, nonce, out, size, len));
    ota_sha256_digest(out, *len, session->request_digest);
    memcpy(session->share_secret, share_secret, sizeof session->share_secret);
    session->phase = OTA_SESSION_OPENING;
    return OTA_OK;
}

static bool copy_bytes(struct ota_cbor_reader *reader, uint8_t *out, uint32_t len) {
    struct ota_span bytes;
    if (!ota_cbor_read_bytes(reader, &bytes) || bytes.len != len) return false;
    memcpy(out, bytes.bytes, len);
    return true;
}

static bool read_answer_payload(struct ota_session_answer *answer) {
    bool has_id = false;
    bool has_share = false;
    struct ota_cbor_reader reader;
    struct message_map map;
    ota_cbor_reader_init(&reader, answer->payload.bytes, answer->payload.len);
    if (!message_map_begin(&map, &reader)) return false;
    while (map.left > 0) {
        uint32_t key;
        if (!message_map_next(&map, &key)) return false;
        if (key == 1) {
            has_id = true;
            if (!copy_bytes(&reader, answer->session_id, sizeof answer->session_id)) return false;
        } else if (key == 2) {
            has_share = true;
            if (!copy_bytes(&reader, answer->share, sizeof answer->share)) return false;
        } else if (!message_skip(&reader)) {
            return false;
        }
    }
    return has_id && has_share && ota_cbor_reader_at_end(&reader);
}

static bool read_sign1(struct ota_span sign1, struct ota_session_answer *answer) {
    struct ota_cbor_reader reader;
    struct ota_span protected_header;
    struct ota_span signature;
    uint32_t count;
    ota_cbor_reader_init(&reader, sign1.bytes, sign1.len);
    if (!ota_cbor_read_array(&reader, &count) || count != 4) return false;
    if (!ota_cbor_read_bytes(&reader, &protected_header) || protected_header.len != PROTECTED_ANSWER_LEN) return false;
    if (memcmp(protected_header.bytes, protected_answer, sizeof protected_answer) != 0) return false;
    memcpy(answer->key_id, protected_header.bytes + sizeof protected_answer, sizeof answer->key_id);
    if (!ota_cbor_read_map(&reader, &count) || count != 0) return false;
    if (!ota_cbor_read_bytes(&reader, &answer->payload)) return false;
    if (!ota_cbor_read_bytes(&reader, &signature) || signature.len != OTA_ED25519_SIGNATURE_LEN) return false;
    answer->signature = signature.bytes;
    return ota_cbor_reader_at_end(&reader) && read_answer_payload(answer);
}

enum ota_status ota_session_read_answer(const uint8_t *untrusted, uint32_t len, struct ota_session_answer *answer) {
    struct ota_cbor_reader reader;
    struct ota_span sign1;
    uint32_t count;
    if (len > ANSWER_MAX) return OTA_ERR_MESSAGE;
    ota_cbor_reader_init(&reader, untrusted, len);
    if (!ota_cbor_read_array(&reader, &count) || count != 2) return OTA_ERR_MESSAGE;
    if (!ota_cbor_read_bytes(&reader, &sign1) || !read_sign1(sign1, answer)) return OTA_ERR_MESSAGE;
    TRY(ota_keyset_refs_read(&reader, answer->keysets, &answer->keyset_count));
    return ota_cbor_reader_at_end(&reader) ? OTA_OK : OTA_ERR_MESSAGE;
}

/* The set's online key with this id; NULL: it has none. */
static const uint8_t *find_online_key(const struct ota_keyset *keyset, const uint8_t key_id[OTA_KEY_ID_LEN]) {
    if (keyset == NULL) return NULL;
    for (uint32_t i = 0; i < keyset->online_count; i++) {
        uint8_t online_id[OTA_KEY_ID_LEN];
        ota_key_id(keyset->online[i], online_id);
        if (memcmp(online_id, key_id, OTA_KEY_ID_LEN) == 0) return keyset->online[i];
    }
    return NULL;
}

static enum ota_status check_answer(const struct ota_session *session, const struct ota_session_answer *answer,
                                    const uint8_t online_key[OTA_ED25519_KEY_LEN]) {
    uint8_t protected_header[PROTECTED_ANSWER_LEN];
    uint8_t aad[sizeof aad_opened - 1 + OTA_SHA256_LEN];
    uint8_t head[SIGNED_HEAD_MAX];
    uint32_t head_len;
    memcpy(protected_header, protected_answer, sizeof protected_answer);
    memcpy(protected_header + sizeof protected_answer, answer->key_id, OTA_KEY_ID_LEN);
    memcpy(aad, aad_opened, sizeof aad_opened - 1);
    memcpy(aad + sizeof aad_opened - 1, session->request_digest, OTA_SHA256_LEN);
    TRY(write_signed_head(head, (struct ota_span){protected_header, sizeof protected_header},
                          (struct ota_span){aad, sizeof aad}, answer->payload.len, &head_len));
    const struct ota_span pieces[] = {{head, head_len}, answer->payload};
    return ota_ed25519_verify(online_key, answer->signature, pieces, 2);
}

/* OTA_ERR_MESSAGE: the other share is of small order (RFC 7748 section 6.1). */
static enum ota_status derive_key(struct ota_session *session, const struct ota_session_answer *answer) {
    uint8_t shared[32];
    uint8_t info[sizeof info_session - 1 + OTA_SESSION_ID_LEN];
    memcpy(info, info_session, sizeof info_session - 1);
    memcpy(info + sizeof info_session - 1, answer->session_id, OTA_SESSION_ID_LEN);
    crypto_x25519(shared, session->share_secret, answer->share);
    bool is_zero = ota_bytes_are(shared, sizeof shared, 0);
    if (!is_zero) {
        ota_hkdf_sha256((struct ota_span){session->request_digest, sizeof session->request_digest},
                        (struct ota_span){shared, sizeof shared}, (struct ota_span){info, sizeof info}, session->key,
                        sizeof session->key);
    }
    crypto_wipe(shared, sizeof shared);
    return is_zero ? OTA_ERR_MESSAGE : OTA_OK;
}

enum ota_status ota_session_finish(struct ota_session *session, const struct ota_session_answer *answer,
                                   const struct ota_keyset *current, const struct ota_keyset *previous,
                                   bool *is_by_current) {
    if (session->phase != OTA_SESSION_OPENING) return OTA_ERR_STATE;
    const uint8_t *online_key = find_online_key(current, answer->key_id);
    *is_by_current = online_key != NULL;
    if (online_key == NULL) online_key = find_online_key(previous, answer->key_id);
    if (online_key == NULL) return OTA_ERR_NOT_FOUND;
    TRY(check_answer(session, answer, online_key));
    TRY(derive_key(session, answer));
    memcpy(session->id, answer->session_id, sizeof session->id);
    crypto_wipe(session->share_secret, sizeof session->share_secret);
    session->counter = 0;
    session->phase = OTA_SESSION_READY;
    return OTA_OK;
}
