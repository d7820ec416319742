/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and applies the raw patch between two files, under the sanitizers. Exit code 0: the target came out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta_apply.h"
#include "delta_encoder.h"
#include "ota/bytes.h"
#include "ota/crc32.h"

static uint8_t *read_file(const char *path, uint32_t *len) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) exit(2);
    (void)fseek(file, 0, SEEK_END);
    *len = (uint32_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*len + (*len == 0)); /* exactly as long as the file: a byte too far is noticed */
    if (bytes == NULL || fread(bytes, 1, *len, file) != *len) exit(2);
    (void)fclose(file);
    return bytes;
}

static void write_header(uint8_t *patch, uint32_t base_len, const uint8_t *target, uint32_t target_len) {
    uint8_t digest[OTA_SHA256_LEN];
    ota_sha256_digest(target, target_len, digest);
    memset(patch, 0, OTA_DELTA_HEADER_SIZE);
    memcpy(patch, "MUSP\1\1", 6);
    ota_store32_le(patch + 12, base_len);
    ota_store32_le(patch + 20, target_len);
    memcpy(patch + 44, digest, 16);
    ota_store32_le(patch + 60, ota_crc32(0, patch, 60));
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    uint32_t base_len, target_len, stream_len = 0, made_len = 0;
    uint8_t *base = read_file(argv[1], &base_len);
    uint8_t *target = read_file(argv[2], &target_len);
    uint32_t room = 2 * target_len + 1024;
    uint8_t *patch = malloc(room + OTA_DELTA_HEADER_SIZE);
    uint8_t *made = malloc(target_len + (target_len == 0));
    if (patch == NULL || made == NULL) return 2;

    struct ota_delta_header header;
    write_header(patch, base_len, target, target_len);
    enum ota_status status = ota_delta_header_parse(patch, OTA_DELTA_HEADER_SIZE, &header);
    if (status == OTA_OK) {
        status = muster_delta_encode(&header, base, target, patch + OTA_DELTA_HEADER_SIZE, room, &stream_len);
    }
    if (status == OTA_OK) {
        uint32_t patch_len = OTA_DELTA_HEADER_SIZE + stream_len;
        status = muster_delta_apply(base, base_len, patch, patch_len, 7, made, target_len, &made_len);
    }
    int differs = status != OTA_OK || made_len != target_len || memcmp(made, target, target_len) != 0;
    free(base);
    free(target);
    free(patch);
    free(made);
    return differs;
}
