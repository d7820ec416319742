/* SPDX-License-Identifier: Apache-2.0 */
/* encode_files BASE TARGET HEADER RELOC_START CHECK PATCH: the encoder under the sanitizers. Exit code 0: PATCH is
 * written. */
#include "delta_encoder.h"
#include "files.h"

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    struct file base = read_file(argv[1]), target = read_file(argv[2]), header = read_file(argv[3]);
    const struct muster_delta_pair pair = {
        .header = header.bytes,
        .header_len = header.len,
        .base = base.bytes,
        .base_facts = base_facts(&base, argv + 4),
        .target = target.bytes,
    };
    uint32_t room = 2 * target.len + 1024, stream_len = 0;
    uint8_t *stream = malloc(room);
    if (stream == NULL) return 2;
    enum ota_status status = muster_delta_encode(&pair, stream, room, &stream_len);
    FILE *out = fopen(argv[6], "wb");
    if (out == NULL) return 2;
    (void)fwrite(header.bytes, 1, header.len, out);
    (void)fwrite(stream, 1, stream_len, out);
    (void)fclose(out);
    free(stream);
    free(base.bytes);
    free(target.bytes);
    free(header.bytes);
    return status != OTA_OK;
}
