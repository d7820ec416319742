/* SPDX-License-Identifier: Apache-2.0 */
#include "keysets.h"

#include <string.h>

#include "agent/agent.h"
#include "chip/flash.h"
#include "chip/time.h"
#include "device.h"
#include "ota/bytes.h"
#include "store_keys.h"
#include "trial.h"
#include "wipe.h"

enum {
    FETCH_REPEAT_MS = 2000,
    FETCH_TRIES = 5,
    PROVEN_LEN = 4, /* u32 version */
};

static struct {
    const struct transport *transport;
    struct ota_keyset_ref refs[OTA_KEYSET_REF_MAX];
    uint32_t count;
    uint32_t next; /* the reference at work; `count`: none */
    uint32_t accepted;
    bool is_fetching;
    uint32_t fetch_ms;
    uint32_t fetch_tries;
} work;

static uint32_t current_version(void) { return device.requirements.keyset != NULL ? device.keyset.version : 0; }

void keysets_cancel(void) {
    work.next = work.count;
    work.is_fetching = false;
}

void keysets_begin(const struct transport *transport, const struct ota_keyset_ref *refs, uint32_t count) {
    memset(&work, 0, sizeof work);
    work.transport = transport;
    for (uint32_t i = 0; i < count; i++) {
        if (refs[i].version > current_version()) work.refs[work.count++] = refs[i];
    }
}

static void send_fetch(void) {
    const struct ota_keyset_ref *ref = &work.refs[work.next];
    work.is_fetching = true;
    work.fetch_ms = chip_time_ms();
    work.fetch_tries++;
    work.transport->fetch(ref->digest, 0, (uint16_t)ref->len);
}

static void give_up(const char *why) {
    agent_log(AGENT_WARN, "key set %lu: %s", (unsigned long)work.refs[work.next].version, why);
    keysets_cancel();
}

bool keysets_poll(void) {
    if (work.next == work.count) return true;
    if (work.refs[work.next].len > OTA_KEYSET_MAX_LEN) {
        give_up("too long");
    } else if (!work.is_fetching) {
        work.fetch_tries = 0;
        send_fetch();
    } else if (chip_time_ms() - work.fetch_ms >= FETCH_REPEAT_MS) {
        if (work.fetch_tries < FETCH_TRIES)
            send_fetch();
        else
            give_up("not to be had");
    }
    return work.next == work.count;
}

uint32_t keysets_accepted(void) { return work.accepted; }

bool keysets_are_fetching(void) { return work.is_fetching; }

static enum ota_status accept(struct ota_span untrusted) {
    static struct ota_keyset keyset; /* valid only when accepted */
    struct ota_identity_page page;
    TRY(ota_identity_page_read(&chip_flash, device.device_id, &page));
    struct ota_roots roots = page.roots;
    wipe(&page, sizeof page);
    trial_feed_watchdog(); /* the boot log may have to be compacted */
    /* cut: the old set or the new one is current */
    TRY(ota_bootlog_accept_keyset(&device.log, &roots, untrusted.bytes, untrusted.len, &keyset));
    device.keyset = keyset;
    device.requirements.keyset = &device.keyset;
    return OTA_OK;
}

/* Bytes that are not what was asked for answer an earlier FETCH; ours is repeated. */
void keysets_take_data(uint32_t off, struct ota_span untrusted) {
    if (!work.is_fetching || off != 0) return;
    if (untrusted.len == 0) {
        give_up("the server does not have it");
        return;
    }
    const struct ota_keyset_ref *ref = &work.refs[work.next];
    uint8_t digest[OTA_SHA256_LEN];
    ota_sha256_digest(untrusted.bytes, untrusted.len, digest);
    if (untrusted.len != ref->len || !ota_bytes_equal(digest, ref->digest, sizeof digest)) return;
    work.is_fetching = false;
    enum ota_status status = accept(untrusted);
    if (status != OTA_OK) {
        agent_log(AGENT_WARN, "key set %lu: refused, status %d", (unsigned long)ref->version, status);
        keysets_cancel();
        return;
    }
    agent_log(AGENT_INFO, "key set %lu: accepted", (unsigned long)device.keyset.version);
    work.accepted++;
    work.next++;
}

static uint32_t proven_version(void) {
    uint8_t bytes[PROVEN_LEN];
    uint32_t len;
    if (!device.has_store) return 0;
    if (ota_store_read(&device.store, OTA_STORE_SETTINGS, STORE_KEY_PROVEN_KEYSET, bytes, sizeof bytes, &len) != OTA_OK)
        return 0;
    return len == sizeof bytes ? ota_load32_le(bytes) : 0;
}

const struct ota_keyset *keysets_previous(void) {
    static struct ota_keyset previous;
    if (proven_version() == current_version()) return NULL;
    return ota_bootlog_read_previous_keyset(&device.log, &previous) == OTA_OK ? &previous : NULL;
}

void keysets_prove_current(void) {
    uint8_t bytes[PROVEN_LEN];
    if (keysets_previous() == NULL || !device.has_store) return;
    ota_store32_le(bytes, current_version());
    /* cut: the keys before still count, until the next session with one of the new keys */
    enum ota_status status =
        ota_store_write(&device.store, OTA_STORE_SETTINGS, STORE_KEY_PROVEN_KEYSET, bytes, sizeof bytes);
    if (status != OTA_OK) agent_log(AGENT_WARN, "key set: cannot be marked as proven, status %d", status);
}
