/* SPDX-License-Identifier: Apache-2.0 */
#include "ota/boot.h"

static struct ota_boot_decision act(enum ota_boot_action action, uint8_t slot) {
    return (struct ota_boot_decision){action, slot, OTA_REASON_NONE};
}

static struct ota_boot_decision act_because(enum ota_boot_action action, uint8_t slot, uint32_t reason) {
    return (struct ota_boot_decision){action, slot, (uint16_t)reason};
}

static bool is_good(const struct ota_boot_slot *slot) { return slot->is_checked && slot->check == OTA_OK; }

/* Both are good: whether B comes before A. */
static bool is_b_newer(const struct ota_boot_slot *a, const struct ota_boot_slot *b) {
    if (a->security_counter != b->security_counter) return b->security_counter > a->security_counter;
    return b->product_version > a->product_version;
}

static uint32_t check_reason(enum ota_status status) { return OTA_REASON_CHECK + (uint32_t)-(int32_t)status; }

/* Rows 1 to 4: no CONFIRMED record. */
static struct ota_boot_decision decide_unconfirmed(const struct ota_boot_facts *facts) {
    const struct ota_boot_slot *a = &facts->slots[OTA_SLOT_A];
    const struct ota_boot_slot *b = &facts->slots[OTA_SLOT_B];
    if (!a->is_checked) return act(OTA_BOOT_CHECK_FULL, OTA_SLOT_A); /* 1 */
    if (!b->is_checked) return act(OTA_BOOT_CHECK_FULL, OTA_SLOT_B); /* 2 */
    if (is_good(a) || is_good(b)) {                                  /* 3 */
        bool is_b = is_good(b) && (!is_good(a) || is_b_newer(a, b));
        return act_because(OTA_BOOT_CONFIRM, is_b ? OTA_SLOT_B : OTA_SLOT_A, OTA_REASON_RECOVERED);
    }
    return act(OTA_BOOT_RECOVERY, OTA_SLOT_A); /* 4 */
}

/* Rows 5 to 13: an attempt is open. */
static struct ota_boot_decision decide_attempt(const struct ota_boot_facts *facts) {
    uint8_t slot = facts->attempt_slot;
    const struct ota_boot_slot *candidate = &facts->slots[slot];
    if (slot == facts->confirmed_slot) { /* 5 */
        return act_because(OTA_BOOT_REJECT, slot, check_reason(OTA_ERR_SLOT));
    }
    if (facts->attempt_state == OTA_ATTEMPT_TRIAL) {
        switch (facts->reset) {
        case OTA_RESET_WATCHDOG: /* 6 */
            return act_because(OTA_BOOT_REJECT, slot, OTA_REASON_WATCHDOG);
        case OTA_RESET_FAULT: /* 7 */
            return act_because(OTA_BOOT_REJECT, slot, OTA_REASON_FAULT);
        case OTA_RESET_SOFTWARE: /* 8 */
            return act_because(OTA_BOOT_REJECT, slot, OTA_REASON_SOFTWARE);
        case OTA_RESET_POWER: /* 9 */
            if (facts->trial_count >= OTA_BOOT_TRIALS_MAX)
                return act_because(OTA_BOOT_INTERRUPT, slot, OTA_REASON_POWER);
            break;
        }
    }
    if (!candidate->is_checked) return act(OTA_BOOT_CHECK_FULL, slot); /* 10 */
    if (!is_good(candidate)) {                                         /* 11 */
        return act_because(OTA_BOOT_REJECT, slot, check_reason(candidate->check));
    }
    if (!candidate->has_attempt_identity) { /* 12 */
        return act_because(OTA_BOOT_REJECT, slot, check_reason(OTA_ERR_IDENTITY));
    }
    return act(OTA_BOOT_TRIAL, slot); /* 13 */
}

/* Rows 14 to 18: nothing to try. */
static struct ota_boot_decision decide_idle(const struct ota_boot_facts *facts) {
    uint8_t slot = facts->confirmed_slot;
    uint8_t other = slot == OTA_SLOT_A ? OTA_SLOT_B : OTA_SLOT_A;
    if (!facts->slots[slot].is_checked) return act(OTA_BOOT_CHECK_PINNED, slot); /* 14 */
    if (is_good(&facts->slots[slot])) return act(OTA_BOOT_START, slot);          /* 15 */
    if (!facts->slots[other].is_checked) return act(OTA_BOOT_CHECK_FULL, other); /* 16 */
    if (is_good(&facts->slots[other])) {                                         /* 17 */
        return act_because(OTA_BOOT_CONFIRM, other, OTA_REASON_FALLBACK);
    }
    return act(OTA_BOOT_RECOVERY, slot); /* 18 */
}

struct ota_boot_decision ota_boot_decide(const struct ota_boot_facts *facts) {
    if (!facts->has_confirmed) return decide_unconfirmed(facts);
    return facts->attempt_state == OTA_ATTEMPT_IDLE ? decide_idle(facts) : decide_attempt(facts);
}
