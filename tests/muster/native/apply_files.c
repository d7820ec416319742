/* SPDX-License-Identifier: Apache-2.0 */
/* apply_files BASE TARGET PATCH RELOC_START CHECK: the decoder under the sanitizers. Exit code 0: the target came
 * out. */
#include "delta_apply.h"
#include "files.h"

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    struct file base = read_file(argv[1]), target = read_file(argv[2]), patch = read_file(argv[3]);
    struct ota_delta_base facts = base_facts(&base, argv + 4);
    uint32_t made_len = 0;
    uint8_t *made = malloc(target.len + (target.len == 0));
    if (made == NULL) return 2;
    enum ota_status status =
        muster_delta_apply(base.bytes, &facts, patch.bytes, patch.len, 7, made, target.len, &made_len);
    int differs = status != OTA_OK || made_len != target.len || memcmp(made, target.bytes, target.len) != 0;
    free(made);
    free(base.bytes);
    free(target.bytes);
    free(patch.bytes);
    return differs;
}
