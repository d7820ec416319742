/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/session.h"

#include <string.h>

/* Messages in a session: docs/spec/device_protocol.md section 2. Headers have one form, so they are compared, not
 * parsed. */

enum {
    DIRECTION_UP = 0,
    DIRECTION_DOWN = 1,
    UP_HEAD_LEN = 9,
    DOWN_HEAD_LEN = 7,
    AAD_LEN = 16 + OTA_SESSION_ID_LEN,
    BYTES_HEAD_MAX = 3,
};

/* Array of 3; protected {1 (alg): 24 (ChaCha20/Poly1305)}; unprotected up to the session id. */
static const uint8_t up_head[UP_HEAD_LEN] = {0x83, 0x44, 0xA1, 0x01, 0x18, 0x18, 0xA2, 0x04, 0x48};
static const uint8_t down_head[DOWN_HEAD_LEN] = {0x83, 0x44, 0xA1, 0x01, 0x18, 0x18, 0xA0};
/* Enc_structure (RFC 9052 section 5.3) up to the session id. */
static const uint8_t aad_head[AAD_LEN - OTA_SESSION_ID_LEN] = {0x83, 0x68, 'E',  'n',  'c',  'r',  'y',  'p',
                                                               't',  '0',  0x44, 0xA1, 0x01, 0x18, 0x18, 0x48};

static void make_aad(const struct ota_session *session, uint8_t aad[AAD_LEN]) {
    memcpy(aad, aad_head, sizeof aad_head);
    memcpy(aad + sizeof aad_head, session->id, OTA_SESSION_ID_LEN);
}

static void make_nonce(const struct ota_session *session, uint8_t direction, uint8_t nonce[OTA_AEAD_NONCE_LEN]) {
    memset(nonce, 0, OTA_AEAD_NONCE_LEN);
    nonce[0] = direction;
    ota_store32_be(nonce + 8, session->counter);
}

/* The head of a byte string of `len` bytes, below 65,536; returns its own length. */
static uint32_t write_bytes_head(uint32_t len, uint8_t head[BYTES_HEAD_MAX]) {
    if (len < 24) {
        head[0] = (uint8_t)(0x40 | len);
        return 1;
    }
    if (len < 0x100) {
        head[0] = 0x58;
        head[1] = (uint8_t)len;
        return 2;
    }
    head[0] = 0x59;
    head[1] = (uint8_t)(len >> 8);
    head[2] = (uint8_t)len;
    return 3;
}

/* Everything of a message before its ciphertext; returns its length. */
static uint32_t write_head(const struct ota_session *session, uint32_t ciphertext_len,
                           uint8_t head[OTA_SESSION_OVERHEAD_MAX]) {
    uint32_t len = UP_HEAD_LEN;
    memcpy(head, up_head, UP_HEAD_LEN);
    memcpy(head + len, session->id, OTA_SESSION_ID_LEN);
    len += OTA_SESSION_ID_LEN;

    uint8_t digits[4];
    uint32_t zeros = 0;
    ota_store32_be(digits, session->counter);
    while (digits[zeros] == 0) zeros++; /* a counter is at least 1 */
    head[len++] = 0x06;
    head[len++] = (uint8_t)(0x40 | (sizeof digits - zeros));
    memcpy(head + len, digits + zeros, sizeof digits - zeros);
    len += (uint32_t)sizeof digits - zeros;
    return len + write_bytes_head(ciphertext_len, head + len);
}

enum ota_status ota_session_seal(struct ota_session *session, struct ota_span plaintext, uint8_t *out, uint32_t size,
                                 uint32_t *len) {
    if (session->phase != OTA_SESSION_READY && session->phase != OTA_SESSION_WAITING) return OTA_ERR_STATE;
    if (session->counter == UINT32_MAX) return OTA_ERR_STATE;
    if (plaintext.len > OTA_SESSION_PLAINTEXT_MAX) return OTA_ERR_BUFFER;
    if (size < plaintext.len + OTA_SESSION_OVERHEAD_MAX) return OTA_ERR_BUFFER;

    session->counter++;
    session->phase = OTA_SESSION_WAITING;
    uint8_t head[OTA_SESSION_OVERHEAD_MAX];
    uint32_t head_len = write_head(session, plaintext.len + OTA_AEAD_TAG_LEN, head);

    uint8_t aad[AAD_LEN];
    uint8_t nonce[OTA_AEAD_NONCE_LEN];
    make_aad(session, aad);
    make_nonce(session, DIRECTION_UP, nonce);
    /* The plaintext may lie in `out`: it moves before the head is written over it. */
    if (plaintext.len > 0) memmove(out + head_len, plaintext.bytes, plaintext.len);
    memcpy(out, head, head_len);
    uint8_t *text = out + head_len;
    ota_aead_seal(session->key, nonce, (struct ota_span){aad, sizeof aad}, text, plaintext.len, text + plaintext.len);
    *len = head_len + plaintext.len + OTA_AEAD_TAG_LEN;
    return OTA_OK;
}

/* Length of the head of the byte string that fills `untrusted` and holds at least a tag; 0: it is not one. */
static uint32_t find_ciphertext(const uint8_t *untrusted, uint32_t len) {
    for (uint32_t head_len = 1; head_len <= BYTES_HEAD_MAX; head_len++) {
        uint8_t head[BYTES_HEAD_MAX];
        if (len < head_len + OTA_AEAD_TAG_LEN) return 0;
        if (write_bytes_head(len - head_len, head) == head_len && memcmp(untrusted, head, head_len) == 0)
            return head_len;
    }
    return 0;
}

enum ota_status ota_session_open(struct ota_session *session, uint8_t *untrusted, uint32_t len,
                                 struct ota_span *plaintext) {
    if (session->phase != OTA_SESSION_WAITING) return OTA_ERR_STATE;
    if (len > OTA_SESSION_MESSAGE_MAX || len < DOWN_HEAD_LEN) return OTA_ERR_MESSAGE;
    if (memcmp(untrusted, down_head, DOWN_HEAD_LEN) != 0) return OTA_ERR_MESSAGE;
    uint32_t head_len = find_ciphertext(untrusted + DOWN_HEAD_LEN, len - DOWN_HEAD_LEN);
    if (head_len == 0) return OTA_ERR_MESSAGE;

    uint8_t *text = untrusted + DOWN_HEAD_LEN + head_len;
    uint32_t text_len = len - DOWN_HEAD_LEN - head_len - OTA_AEAD_TAG_LEN;
    uint8_t aad[AAD_LEN];
    uint8_t nonce[OTA_AEAD_NONCE_LEN];
    make_aad(session, aad);
    make_nonce(session, DIRECTION_DOWN, nonce);
    TRY(ota_aead_open(session->key, nonce, (struct ota_span){aad, sizeof aad}, text, text_len, text + text_len));
    session->phase = OTA_SESSION_READY;
    plaintext->bytes = text;
    plaintext->len = text_len;
    return OTA_OK;
}
