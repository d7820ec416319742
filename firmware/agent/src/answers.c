/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"

#include "agent/agent.h"
#include "calls.h"
#include "consent.h"
#include "download.h"
#include "reporting.h"
#include "settings.h"
#include "variables.h"

bool answers_apply(const struct ota_answer *answer) {
    bool has_news = answer->acknowledged_count > 0 && reporting_has_more();
    settings_take(answer->settings, answer->setting_count);
    if (calls_take(answer)) has_news = true;
    if (variables_take_reads(answer->reads, answer->read_count)) has_news = true;
    if (answer->is_quarantined) agent_log(AGENT_INFO, "check-in: quarantined by the server");
    if (answer->has_withdrawn) {
        consent_withdraw(answer->withdrawn);
        download_withdraw(answer->withdrawn);
    }
    download_go_on();
    if (answer->has_offer) consent_take_offer(&answer->offer, answer->consent_s);
    return has_news;
}
