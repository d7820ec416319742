/* SPDX-License-Identifier: Apache-2.0 */

/* libFuzzer on the patch decoder. An input is
 *
 *   at  size
 *   0   1     which base (modulo their number); bit 7: the decoder has little memory whatever the patch needs
 *   1   1     length of the pieces that are pushed; 0: all at once
 *   2   1     action (modulo their number)
 *   3   1     which port call fails, or which checkpoint is resumed
 *   4   u16   which byte of a saved state is damaged
 *   6         the patch
 *
 * What the decoder asks of its port is checked here; what it does to memory, by the sanitizers; that it ends, by
 * libFuzzer's -timeout. */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copies.h"
#include "delta_binding.h"
#include "ota/bytes.h"

enum {
    HEAD_LEN = 6,
    SMALL_MEMORY = 0x80, /* of an input's first byte */
    PIECE_MAX = 255,
    STATUS_OF_FAILING_PORT = OTA_ERR_FLASH_ERASE, /* never the decoder's own */
};

enum action {
    ACTION_DECODE = 0,
    ACTION_PIECES = 1, /* at once and in pieces: the same result */
    ACTION_RESUME = 2, /* from a checkpoint: the same result as without; before that from a damaged one: refused */
    ACTION_FAIL = 3,   /* a port call fails */
    ACTIONS = 4,
};

struct input {
    const struct fuzz_base *base;
    enum fuzz_memory memory;
    uint32_t piece_len;
    enum action action;
    uint32_t when;
    uint32_t place;
    const uint8_t *patch;
    uint32_t patch_len;
};

/* How far a run came. */
struct result {
    enum ota_status status;
    uint32_t written;
};

struct checkpoint {
    uint8_t state[FUZZ_STATE_MAX];
    uint32_t state_len;
    uint32_t patch_off;
    uint32_t written;
    struct fuzz_header header;
};

/* What the port knows of the run that is under way. */
static struct run {
    const struct input *input;
    struct fuzz_header header;
    uint32_t begun;
    uint32_t pushed;  /* patch bytes that the decoder was given */
    uint32_t written; /* target bytes, in the order of writing */
    uint32_t rewrite; /* up to here, what is written must be what is there */
    uint32_t calls;
    uint32_t fails_at; /* number of the port call that fails; 0: none */
    uint32_t checkpoints;
    uint32_t keeps; /* number of the checkpoint that is kept; 0: none */
    bool is_over;   /* no call may come any more */
} run;

static struct checkpoint kept;
static uint8_t target[FUZZ_TARGET_MAX];

static void require(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "FINDING: %s\n", what);
    abort();
}

static enum ota_status called(void) {
    run.calls++;
    require(!run.is_over, "the port is called after the end");
    uint32_t bytes = run.input->base->facts.layout.len + run.input->patch_len + run.header.target_len;
    require(run.calls <= 64 + 8 * bytes, "more port calls than the images' and the patch's bytes explain");
    return run.calls == run.fails_at ? STATUS_OF_FAILING_PORT : OTA_OK;
}

static enum ota_status port_begin(void *ctx, const struct ota_delta_header *header) {
    (void)ctx;
    TRY(called());
    require(run.begun == 0 && run.written == 0, "begin is called twice, or after a resume");
    run.begun = 1;
    fuzz_header_read(header, &run.header);
    require(run.header.base_len == 0 || run.header.base_len == run.input->base->facts.layout.len, "another base");
    if (run.header.target_len > FUZZ_TARGET_MAX) {
        run.header.target_len = 0;
        return OTA_ERR_PATCH_SIZE;
    }
    return OTA_OK;
}

static enum ota_status port_read_base(void *ctx, uint32_t off, void *out, uint32_t len) {
    (void)ctx;
    TRY(called());
    uint32_t base_len = run.header.base_len;
    require(len != 0 && off <= base_len && len <= base_len - off, "a read outside the base");
    fuzz_copy_check(out, len);
    memcpy(out, run.input->base->bytes + off, len);
    return OTA_OK;
}

/* Whether all target bytes in [off, off + len) have been written. */
static bool is_written(uint32_t off, uint32_t len) {
    uint32_t position = 0;
    uint32_t found = 0;
    for (uint32_t i = 0; i < FUZZ_PARTS; i++) {
        struct fuzz_part part = run.header.parts[i];
        uint32_t begin = off > part.begin ? off : part.begin;
        uint32_t end = ota_min_u32(off + len, part.end);
        if (begin < end) {
            if (position + (end - part.begin) > run.written) return false;
            found += end - begin;
        }
        position += part.end - part.begin;
    }
    return found == len;
}

static enum ota_status port_read_target(void *ctx, uint32_t off, void *out, uint32_t len) {
    (void)ctx;
    TRY(called());
    uint32_t target_len = run.header.target_len;
    require(len != 0 && off <= target_len && len <= target_len - off, "a read outside the target");
    require(is_written(off, len), "a read of target bytes that have not been written");
    fuzz_copy_check(out, len);
    memcpy(out, target + off, len);
    return OTA_OK;
}

/* Whether [off, off + len) is what comes next in the order of writing. */
static bool is_next(uint32_t off, uint32_t len) {
    uint32_t position = 0;
    for (uint32_t i = 0; i < FUZZ_PARTS; i++) {
        struct fuzz_part part = run.header.parts[i];
        uint32_t part_len = part.end - part.begin;
        if (run.written - position < part_len) {
            return off == part.begin + (run.written - position) && len <= part.end - off;
        }
        position += part_len;
    }
    return false;
}

static enum ota_status port_write_target(void *ctx, uint32_t off, const void *bytes, uint32_t len) {
    (void)ctx;
    TRY(called());
    require(len != 0 && off <= FUZZ_TARGET_MAX && len <= FUZZ_TARGET_MAX - off, "a write outside the target");
    require(is_next(off, len), "a write out of order");
    require(((off | len) & (run.header.alignment - 1)) == 0, "a write that is not aligned");
    fuzz_copy_check(bytes, len);
    if (run.written + len <= run.rewrite) {
        require(memcmp(target + off, bytes, len) == 0, "after a resume other bytes are written");
    }
    memcpy(target + off, bytes, len);
    run.written += len;
    return OTA_OK;
}

static enum ota_status port_checkpoint(void *ctx, const struct ota_delta *delta, uint32_t patch_off) {
    (void)ctx;
    TRY(called());
    require(patch_off <= run.pushed, "a checkpoint beyond the bytes that were pushed");
    run.checkpoints++;
    if (run.checkpoints != run.keeps) return OTA_OK;
    kept.state_len = fuzz_decoder_save(delta, kept.state);
    kept.patch_off = patch_off;
    kept.written = run.written;
    kept.header = run.header;
    return OTA_OK;
}

static const struct ota_delta_port port = {
    .begin = port_begin,
    .read_base = port_read_base,
    .read_target = port_read_target,
    .write_target = port_write_target,
    .checkpoint = port_checkpoint,
};

/* Pushes a piece from memory that ends where the piece ends: behind it the sanitizer is on guard. */
static enum ota_status push(const uint8_t *bytes, uint32_t len) {
    static uint8_t stage[PIECE_MAX];
    run.pushed += len;
    if (len <= sizeof stage) {
        uint8_t *piece = stage + sizeof stage - len;
        if (len != 0) memcpy(piece, bytes, len);
        bytes = piece;
    }
    enum ota_status status = fuzz_decoder_push(&port, bytes, len);
    require(!fuzz_decoder_has_overtaken(), "a step took more of the patch than a step may");
    return status;
}

static enum ota_status push_all(const struct input *input, uint32_t from) {
    uint32_t piece_len = input->piece_len != 0 ? input->piece_len : UINT32_MAX;
    for (uint32_t off = from; off < input->patch_len;) {
        uint32_t len = ota_min_u32(piece_len, input->patch_len - off);
        TRY(push(input->patch + off, len));
        off += len;
    }
    return fuzz_decoder_finish(&port);
}

/* What holds after every run, however it ended. */
static void check_end(enum ota_status status) {
    static const uint8_t more[1] = {0};
    run.is_over = true;
    require(fuzz_decoder_is_done() == (status == OTA_OK), "done without success, or success without being done");
    require(fuzz_decoder_finish(&port) == status, "finish has another answer the second time");
    if (status != OTA_OK) {
        require(fuzz_decoder_push(&port, more, sizeof more) == status, "a failure did not stay");
        require(!fuzz_decoder_is_done(), "done after a failure");
        return;
    }
    require(run.written == run.header.target_len, "success without the whole target");
    require(fuzz_target_holds(target), "success with a target that does not hold");
}

static void run_begin(const struct input *input) { run = (struct run){.input = input}; }

static struct result decode(const struct input *input, uint8_t fill) {
    fuzz_decoder_init(input->base, input->memory, fill);
    struct result result = {.status = push_all(input, 0)};
    result.written = run.written;
    return result;
}

static void decode_in_pieces(const struct input *input) {
    struct input at_once = *input;
    at_once.piece_len = 0;
    struct result expected = decode(&at_once, 0xFF);
    check_end(expected.status);
    run_begin(input);
    run.rewrite = expected.written;
    struct result result = decode(input, 0x00);
    check_end(result.status);
    require(result.status == expected.status && result.written == expected.written, "pieces change the result");
}

/* One wrong byte in what is kept. */
static void resume_from_damage(const struct input *input, uint8_t *state) {
    uint8_t *damaged = state + input->place % kept.state_len, change = (uint8_t)(input->when | 1);
    uint32_t patch_off = 0;
    run_begin(input);
    run.is_over = true;
    *damaged ^= change;
    enum ota_status status = fuzz_decoder_resume(input->base, input->memory, state, kept.state_len, 0xFF, &patch_off);
    *damaged ^= change;
    require(status == OTA_ERR_STATE, "a damaged checkpoint is taken");
    check_end(OTA_ERR_STATE);
}

static void decode_and_resume(const struct input *input) {
    kept.state_len = 0;
    run.keeps = input->when % 4 + 1;
    struct result expected = decode(input, 0xFF);
    check_end(expected.status);
    if (kept.state_len == 0) return;
    uint8_t *state = kept.state + sizeof kept.state - kept.state_len;
    resume_from_damage(input, state);

    run_begin(input);
    run.written = kept.written;
    run.rewrite = expected.written;
    run.pushed = kept.patch_off;
    run.header = kept.header;
    uint32_t patch_off = 0;
    enum ota_status status = fuzz_decoder_resume(input->base, input->memory, state, kept.state_len, 0x00, &patch_off);
    require(status == OTA_OK, "a checkpoint is refused");
    require(patch_off == kept.patch_off, "a resume from another place than the checkpoint's");
    status = push_all(input, patch_off);
    check_end(status);
    require(status == expected.status && run.written == expected.written, "a resume changes the result");
}

static void decode_with_failing_port(const struct input *input) {
    run.fails_at = input->when + 1;
    struct result result = decode(input, 0xFF);
    bool has_failed = run.calls >= run.fails_at;
    /* a patch that ends too early is named as the cause even where its wrong numbers led to the port */
    bool is_answer = result.status == STATUS_OF_FAILING_PORT || result.status == OTA_ERR_PATCH_TRUNCATED;
    require(!has_failed || is_answer, "a failing port did not stop the decoder");
    require(run.calls <= run.fails_at || !has_failed, "the port is called after it failed");
    check_end(result.status);
}

static const struct fuzz_base *base_of(const uint8_t *data) {
    return &fuzz_bases[(data[0] & (SMALL_MEMORY - 1)) % fuzz_base_count];
}

static bool input_read(const uint8_t *data, size_t size, struct input *out) {
    if (size < HEAD_LEN) return false;
    *out = (struct input){
        .base = base_of(data),
        .memory = FUZZ_MEMORY_SMALL,
        .piece_len = data[1],
        .action = (enum action)(data[2] % ACTIONS),
        .when = data[3],
        .place = ota_load16_le(data + 4),
        .patch = data + HEAD_LEN,
        .patch_len = (uint32_t)(size - HEAD_LEN),
    };
    if ((data[0] & SMALL_MEMORY) == 0) out->memory = fuzz_patch_memory(out->patch, out->patch_len);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input;
    if (!input_read(data, size, &input)) return 0;
    run_begin(&input);
    switch (input.action) {
    case ACTION_DECODE:
        check_end(decode(&input, 0xFF).status);
        break;
    case ACTION_PIECES:
        decode_in_pieces(&input);
        break;
    case ACTION_RESUME:
        decode_and_resume(&input);
        break;
    case ACTION_FAIL:
        decode_with_failing_port(&input);
        break;
    case ACTIONS:
        break;
    }
    return 0;
}

/* Gives a patch that makes anything at all the name of what it makes: the way to the decoder's yes. */
static void name_target(uint8_t *data, size_t size) {
    struct input input;
    if (!input_read(data, size, &input)) return;
    run_begin(&input);
    if (decode(&input, 0x00).status == OTA_ERR_IDENTITY) {
        fuzz_patch_name_target(data + HEAD_LEN, input.patch_len);
    }
}

/* Replaces bytes by mutated ones of the same number. */
static void mutate_in_place(uint8_t *bytes, size_t len) {
    size_t made = LLVMFuzzerMutate(bytes, len, len);
    memset(bytes + made, 0, len - made);
}

/* What one mutation changes: of 32. */
enum {
    MUTATE_ANYTHING = 1,        /* as libFuzzer likes */
    MUTATE_HEAD = 3,            /* what is done with the patch */
    MUTATE_HEADER = 2,          /* it comes out as it may */
    MUTATE_HEADER_AND_MEND = 3, /* the decoder goes on from it */
    MUTATE_NAME = 1,            /* the header names the target that the stream makes */
    MUTATE_STREAM_AND_NAME = 4, /* the same of another stream; all others: the stream */
};

/* Mostly mutates the coded stream, behind a header that lets the decoder get there. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint32_t choice = (seed >> 8) % 32;
    uint8_t *patch = data + HEAD_LEN;
    if (size <= HEAD_LEN || choice < MUTATE_ANYTHING) return LLVMFuzzerMutate(data, size, max_size);
    choice -= MUTATE_ANYTHING;

    uint32_t patch_len = (uint32_t)(size - HEAD_LEN), patch_max = (uint32_t)(max_size - HEAD_LEN);
    uint32_t header_len = fuzz_patch_header_len(patch, patch_len);
    bool names_target = choice >= 31 - MUTATE_NAME - MUTATE_STREAM_AND_NAME;
    if (choice < MUTATE_HEAD) {
        mutate_in_place(data, HEAD_LEN);
    } else if (choice < MUTATE_HEAD + MUTATE_HEADER) {
        mutate_in_place(patch, header_len);
        return size;
    } else if (choice < MUTATE_HEAD + MUTATE_HEADER + MUTATE_HEADER_AND_MEND) {
        mutate_in_place(patch, header_len);
    } else if (choice < 31 - MUTATE_NAME && header_len < patch_max) {
        size_t stream_len = LLVMFuzzerMutate(patch + header_len, patch_len - header_len, patch_max - header_len);
        patch_len = header_len + (uint32_t)stream_len;
    }
    patch_len = fuzz_patch_mend(patch, patch_len, patch_max, base_of(data));
    if (names_target) name_target(data, HEAD_LEN + patch_len);
    return HEAD_LEN + patch_len;
}
