/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_STORE_KEYS_H
#define AGENT_STORE_KEYS_H

/* Keys of the owner "settings" in the record store: docs/spec/boot.md section 6. */
enum store_key {
    STORE_KEY_INTERVAL = 1, /* settings that the agent itself follows */
    STORE_KEY_HOLD = 2,
    STORE_KEY_LAST_SETTING = 239,
    STORE_KEY_COUNTERS = 240,
    STORE_KEY_REPORT_ID = 241,
    STORE_KEY_PROVEN_KEYSET = 242,
    STORE_KEY_CLAIM_CODE = 243,
};

#endif
