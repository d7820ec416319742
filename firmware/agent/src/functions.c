/* SPDX-License-Identifier: Apache-2.0 */
#include "functions.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "agent/agent.h"
#include "device.h"
#include "link.h"
#include "ota/bytes.h"

struct function {
    const char *name;
    agent_function_pointer function;
};

static struct function functions[FUNCTIONS_MAX];
static uint32_t count;

static bool has_answer;
static uint8_t answer[CALL_ANSWER_LEN]; /* to the last call; it opens with the call's id */

enum ota_status agent_function(const char *name, agent_function_pointer function) {
    if (count == FUNCTIONS_MAX || strlen(name) > CALL_NAME_MAX) return OTA_ERR_BUFFER;
    functions[count].name = name;
    functions[count].function = function;
    count++;
    return OTA_OK;
}

uint32_t functions_names(struct ota_span names[FUNCTIONS_MAX]) {
    for (uint32_t i = 0; i < count; i++) {
        names[i] = (struct ota_span){(const uint8_t *)functions[i].name, (uint32_t)strlen(functions[i].name)};
    }
    return count;
}

static agent_function_pointer find(const uint8_t *name, uint32_t len) {
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0) return functions[i].function;
    }
    return NULL;
}

enum ota_status functions_call(struct ota_span name, struct ota_span argument, int32_t *result) {
    static char text[CALL_ARGUMENT_MAX + 1];
    if (argument.len > CALL_ARGUMENT_MAX) return OTA_ERR_BUFFER;
    agent_function_pointer function = find(name.bytes, name.len);
    if (function == NULL) return OTA_ERR_NOT_FOUND;
    memcpy(text, argument.bytes, argument.len);
    text[argument.len] = '\0';
    *result = function(text);
    return OTA_OK;
}

static enum ota_status call(const uint8_t *untrusted, uint32_t len, int32_t *result) {
    if (!device_is_for_development()) return OTA_ERR_NOT_ALLOWED;
    uint32_t name_len = untrusted[CALL_NAME_LEN_AT];
    if (name_len > len - CALL_NAME_AT) return OTA_ERR_MESSAGE;
    const struct ota_span name = {untrusted + CALL_NAME_AT, name_len};
    const struct ota_span argument = {name.bytes + name_len, len - CALL_NAME_AT - name_len};
    return functions_call(name, argument, result);
}

void functions_take_call(const uint8_t *untrusted, uint32_t len) {
    if (len < CALL_NAME_AT) return; /* there is no id to answer to */
    if (!has_answer || memcmp(answer, untrusted + CALL_ID_AT, 2) != 0) {
        int32_t result = 0;
        enum ota_status status = call(untrusted, len, &result);
        memcpy(answer, untrusted + CALL_ID_AT, 2);
        ota_store16_le(answer + 2, (uint16_t)status);
        ota_store32_le(answer + 4, (uint32_t)result);
        has_answer = true;
    }
    link_send(MESSAGE_CALL_ANSWER, answer, sizeof answer);
}
