/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/boot_run.h"

#include <stddef.h>
#include <string.h>

#include "ota/bytes.h"

/* More actions than any way through the table has: each one but the last checks a slot, ends an attempt or confirms. */
enum { STEPS_MAX = 16 };

struct run {
    const struct ota_boot_port *port;
    struct ota_image_requirements requirements;
    struct ota_bootlog log;
    struct ota_bootlog_facts log_facts;
    struct ota_boot_facts facts;
    struct ota_keyset keyset;
    uint8_t identities[OTA_SLOT_COUNT][OTA_IDENTITY_SHORT_LEN]; /* of the slots that are checked and good */
};

/* Takes the facts from the log; what is known of the slots stays. */
static enum ota_status learn(struct run *run) {
    const struct ota_bootlog_facts *log_facts = &run->log_facts;
    TRY(ota_bootlog_read_facts(&run->log, &run->log_facts));
    run->facts.has_confirmed = log_facts->has_confirmed;
    run->facts.confirmed_slot = log_facts->confirmed.slot;
    run->facts.attempt_state = log_facts->attempt_state;
    run->facts.attempt_slot = log_facts->attempt.slot;
    run->facts.trial_count = log_facts->trial_count;
    run->requirements.security_counter = log_facts->confirmed.security_counter;
    return OTA_OK;
}

static enum ota_status begin(struct run *run) {
    TRY(ota_bootlog_mount(&run->log, run->port->flash));
    enum ota_status status = ota_bootlog_read_keyset(&run->log, &run->keyset);
    run->requirements.keyset = status == OTA_OK ? &run->keyset : NULL;
    return learn(run);
}

static void note_check(struct run *run, uint8_t slot, enum ota_status status, const struct ota_image *image) {
    struct ota_boot_slot *fact = &run->facts.slots[slot];
    fact->is_checked = true;
    fact->check = status;
    if (status != OTA_OK) return;
    memcpy(run->identities[slot], image->identity, OTA_IDENTITY_SHORT_LEN);
    fact->has_attempt_identity =
        ota_bytes_equal(image->identity, run->log_facts.attempt.identity, OTA_IDENTITY_SHORT_LEN);
    fact->product_version = image->manifest.product_version;
    fact->security_counter = image->manifest.security_counter;
}

static void check_full(struct run *run, uint8_t slot) {
    struct ota_image image;
    enum ota_status status = ota_image_check_full(run->port->flash, ota_slot_addr(slot), &run->requirements, &image);
    note_check(run, slot, status, &image);
}

static void check_pinned(struct run *run, uint8_t slot) {
    struct ota_image image;
    enum ota_status status =
        ota_image_check_pinned(run->port->flash, ota_slot_addr(slot), run->log_facts.confirmed.identity, &image);
    note_check(run, slot, status, &image);
}

static enum ota_status append_confirmed(struct run *run, const struct ota_boot_decision *decision) {
    uint32_t slot_counter = run->facts.slots[decision->slot].security_counter;
    uint32_t old_counter = run->log_facts.confirmed.security_counter;
    struct ota_bootlog_record record = {
        .type = OTA_BOOTLOG_CONFIRMED,
        .slot = decision->slot,
        .reason = decision->reason,
        .security_counter = slot_counter > old_counter ? slot_counter : old_counter,
    };
    memcpy(record.identity, run->identities[decision->slot], sizeof record.identity);
    TRY(ota_bootlog_append(&run->log, &record));
    return learn(run);
}

/* Appends a record of the open attempt. When it cannot be written, the attempt is over for this boot. */
static bool append_of_attempt(struct run *run, enum ota_bootlog_type type, uint16_t reason) {
    struct ota_bootlog_record record = run->log_facts.attempt;
    record.type = (uint8_t)type;
    record.reason = reason;
    enum ota_status status = ota_bootlog_append(&run->log, &record);
    if (status == OTA_OK) status = learn(run);
    if (status != OTA_OK) run->facts.attempt_state = OTA_ATTEMPT_IDLE;
    return status == OTA_OK;
}

/* Carries one action out. True when nothing is left to do: something was started. */
static bool carry_out(struct run *run, const struct ota_boot_decision *decision) {
    const struct ota_boot_port *port = run->port;
    switch (decision->action) {
    case OTA_BOOT_CHECK_FULL:
        check_full(run, decision->slot);
        return false;
    case OTA_BOOT_CHECK_PINNED:
        check_pinned(run, decision->slot);
        return false;
    case OTA_BOOT_CONFIRM:
        if (append_confirmed(run, decision) == OTA_OK) return false;
        port->recovery(port->ctx);
        return true;
    case OTA_BOOT_REJECT:
        (void)append_of_attempt(run, OTA_BOOTLOG_REJECTED, decision->reason);
        return false;
    case OTA_BOOT_INTERRUPT:
        (void)append_of_attempt(run, OTA_BOOTLOG_INTERRUPTED, decision->reason);
        return false;
    case OTA_BOOT_TRIAL:
        if (!append_of_attempt(run, OTA_BOOTLOG_TRIAL, OTA_REASON_NONE)) return false;
        port->start(port->ctx, ota_slot_addr(decision->slot), true);
        return true;
    case OTA_BOOT_START:
        port->start(port->ctx, ota_slot_addr(decision->slot), false);
        return true;
    case OTA_BOOT_RECOVERY:
        port->recovery(port->ctx);
        return true;
    }
    return false;
}

void ota_boot_run(const struct ota_boot_port *port, const struct ota_image_requirements *device, enum ota_reset reset) {
    struct run run;
    memset(&run, 0, sizeof run);
    run.port = port;
    run.requirements = *device;
    run.facts.reset = reset;
    if (begin(&run) == OTA_OK) {
        for (uint32_t step = 0; step < STEPS_MAX; step++) {
            struct ota_boot_decision decision = ota_boot_decide(&run.facts);
            if (carry_out(&run, &decision)) return;
        }
    }
    port->recovery(port->ctx);
}
