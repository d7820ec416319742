/* SPDX-License-Identifier: Apache-2.0 */
#include "download.h"

#include <stddef.h>
#include <string.h>

#include "agent/agent.h"
#include "check_in.h"
#include "chip/cpu.h"
#include "chip/flash.h"
#include "chip/time.h"
#include "chip/uart.h"
#include "device.h"
#include "link.h"
#include "ota/bytes.h"
#include "ota/delta.h"
#include "ota/slot_writer.h"
#include "trial.h"

enum {
    FETCH_REPEAT_MS = 2000,
    FETCH_TRIES = 15,
    CHECKPOINT_KEY = 0, /* docs/spec/boot.md section 6 */
};
#define CHECKPOINT_LAYOUT 0x31504B43u /* "CKP1" */

struct offer {
    bool is_of_server;
    uint32_t attempt;
    uint32_t identity_len; /* the server names the first half */
    uint8_t identity[OTA_IDENTITY_LEN];
    uint8_t digest[OTA_SHA256_LEN];
    uint32_t patch_len;
    uint32_t image_len;
};

/* What a download needs to go on after a reset, in front of the decoder's own bytes. It lies in the record store as it
 * stands in memory: only the image that wrote it takes it back, because `base_identity` names that image. */
struct checkpoint {
    uint32_t layout;
    uint8_t digest[OTA_SHA256_LEN];
    uint8_t base_identity[OTA_IDENTITY_LEN];
    uint32_t slot;
    uint32_t patch_off; /* patch bytes that `sha` and the decoder have seen */
    struct ota_sha256 sha;
    uint8_t decoder[OTA_DELTA_SAVED_MAX];
};

_Static_assert(sizeof(struct checkpoint) + OTA_STORE_HEAD_LEN <= OTA_STORE_DOWNLOAD_QUOTA,
               "the checkpoint of either profile fits the record store");

static struct {
    bool is_active;
    struct offer offer;
    struct ota_sha256 sha; /* of the patch's bytes before patch_off */
    uint32_t patch_off;
    struct ota_delta delta;
    uint16_t counters[OTA_DELTA_COUNTERS_LARGE];
    struct ota_slot_writer writer;
    const uint8_t *piece; /* being decoded; it begins at patch_off */
    bool wants_fetch;     /* the next piece is to be asked for when the line is free */
    bool is_paused;       /* nobody serves the pieces; it goes on when the server has answered a check-in */
    bool is_fetching;
    uint32_t fetch_len;
    uint32_t fetch_ms;
    uint32_t fetch_tries;
} download;

static struct checkpoint checkpoint; /* for reading and writing the store */

/* The last offer of the server that stopped before it was staged. */
static struct {
    bool is_set;
    bool is_told;
    struct ota_report_update update;
} stopped;

static const struct transport *transport;

void download_start(const struct transport *way) { transport = way; }

bool download_is_active(void) { return download.is_active; }

bool download_is_local(void) { return download.is_active && !download.offer.is_of_server; }

bool download_is_fetching(void) { return download.is_active && download.is_fetching; }

bool download_update(struct ota_report_update *update) {
    if (download.is_active && download.offer.is_of_server) {
        *update = (struct ota_report_update){download.offer.attempt, OTA_OK, download.patch_off};
        return true;
    }
    *update = stopped.update;
    return stopped.is_set && !stopped.is_told;
}

void download_take_told(void) { stopped.is_told = true; }

static void note_stop(uint32_t attempt, enum ota_status status, uint32_t received) {
    stopped.is_set = true;
    stopped.is_told = false;
    stopped.update = (struct ota_report_update){attempt, status, received};
    check_in_soon();
}

bool download_knows(uint32_t attempt) {
    if (download.is_active && download.offer.is_of_server && download.offer.attempt == attempt) return true;
    return stopped.is_set && stopped.update.attempt == attempt;
}

bool download_progress(uint8_t digest[OTA_SHA256_LEN], uint32_t *patch_off) {
    memcpy(digest, download.offer.digest, OTA_SHA256_LEN);
    *patch_off = download.patch_off;
    return download.is_active;
}

/* ---- messages to the host ---- */

static void tell(enum update_phase phase, enum ota_status status) {
    uint8_t body[UPDATE_STATUS_LEN];
    ota_store32_le(body, download.offer.attempt);
    body[4] = (uint8_t)phase;
    ota_store16_le(body + 5, (uint16_t)status);
    ota_store32_le(body + 7, download.patch_off);
    link_send(MESSAGE_UPDATE_STATUS, body, sizeof body);
    chip_uart_flush(); /* flash may be busy next */
}

static void answer_offer(uint32_t attempt, enum ota_status status, uint32_t patch_off) {
    uint8_t body[OFFER_ANSWER_LEN];
    ota_store32_le(body, attempt);
    ota_store16_le(body + 4, (uint16_t)status);
    ota_store32_le(body + 6, patch_off);
    link_send(MESSAGE_OFFER_ANSWER, body, sizeof body);
}

static void send_fetch(void) {
    download.fetch_len = ota_min_u32(FETCH_BYTES_MAX, download.offer.patch_len - download.patch_off);
    transport->fetch(download.offer.digest, download.patch_off, (uint16_t)download.fetch_len);
    download.wants_fetch = false;
    download.is_fetching = true;
    download.fetch_ms = chip_time_ms();
}

static void fetch_next(void) {
    download.fetch_tries = 1;
    if (download.offer.is_of_server)
        download.wants_fetch = true;
    else
        send_fetch();
}

/* ---- the decoder's port ---- */

/* Everything that can be refused is refused before the first erase. */
static enum ota_status check_header(const struct ota_delta_header *header) {
    if (header->kind != OTA_DELTA_IMAGE) return OTA_ERR_PATCH_HEADER;
    if (header->target.len != download.offer.image_len) return OTA_ERR_PATCH_SIZE;
    bool is_announced = ota_bytes_equal(header->target_check, download.offer.identity, sizeof header->target_check);
    return is_announced ? OTA_OK : OTA_ERR_IDENTITY;
}

static enum ota_status writer_start(const struct ota_delta_header *header) {
    return ota_slot_writer_init(&download.writer, &chip_flash, ota_slot_addr(device_other_slot()),
                                header->target.reloc_start, header->target.len - OTA_IMAGE_TAIL_LEN);
}

static enum ota_status clear_other_slot(void) {
    if (device.facts.attempt_state == OTA_ATTEMPT_STAGED) {
        const struct ota_bootlog_record *attempt = &device.facts.attempt;
        /* cut: the staged image is still whole and gets its trial, or it is given up */
        TRY(device_append(OTA_BOOTLOG_ABANDONED, attempt->slot, OTA_REASON_NONE, attempt->attempt, attempt->identity,
                          attempt->security_counter));
    }
    /* cut: an old checkpoint is gone while its bytes still stand: that download begins anew */
    TRY(ota_store_remove(&device.store, OTA_STORE_DOWNLOAD, CHECKPOINT_KEY));
    tell(UPDATE_ERASING, OTA_OK);
    for (uint32_t i = 0; i < OTA_SLOT_SECTORS; i++) {
        trial_feed_watchdog();
        /* cut: the other slot holds nothing bootable; the confirmed slot runs */
        uint32_t first = device_other_slot() == OTA_SLOT_A ? OTA_SLOT_FIRST_SECTOR_A : OTA_SLOT_FIRST_SECTOR_B;
        TRY(ota_sector_make_blank(&chip_flash, first + i));
    }
    return OTA_OK;
}

static enum ota_status begin(void *ctx, const struct ota_delta_header *header) {
    (void)ctx;
    TRY(check_header(header));
    TRY(writer_start(header));
    return clear_other_slot();
}

static enum ota_status read_base(void *ctx, uint32_t off, void *out, uint32_t len) {
    (void)ctx;
    return ota_image_read(&device.running, off, out, len);
}

static enum ota_status read_target(void *ctx, uint32_t off, void *out, uint32_t len) {
    (void)ctx;
    return ota_slot_writer_read(&download.writer, off, out, len);
}

static enum ota_status write_target(void *ctx, uint32_t off, const void *bytes, uint32_t len) {
    (void)ctx;
    /* cut: what is written stays; decoding goes on from the last checkpoint and writes the same bytes again */
    return ota_slot_writer_write(&download.writer, off, bytes, len);
}

/* A checkpoint that cannot be stored costs time after a cut, nothing else: the download goes on. */
static enum ota_status save_checkpoint(void *ctx, const struct ota_delta *delta, uint32_t patch_off) {
    (void)ctx;
    trial_feed_watchdog();
    checkpoint.layout = CHECKPOINT_LAYOUT;
    memcpy(checkpoint.digest, download.offer.digest, sizeof checkpoint.digest);
    memcpy(checkpoint.base_identity, device.running.identity, sizeof checkpoint.base_identity);
    checkpoint.slot = device_other_slot();
    checkpoint.patch_off = patch_off;
    checkpoint.sha = download.sha;
    ota_sha256_update(&checkpoint.sha, download.piece, patch_off - download.patch_off);
    ota_delta_save(delta, checkpoint.decoder);
    uint32_t len = (uint32_t)offsetof(struct checkpoint, decoder) + ota_delta_saved_len(delta);
    /* cut: this checkpoint or the one before; the slot holds the bytes of both */
    enum ota_status status = ota_store_write(&device.store, OTA_STORE_DOWNLOAD, CHECKPOINT_KEY, &checkpoint, len);
    if (status != OTA_OK) agent_log(AGENT_WARN, "update: checkpoint not stored, status %d", status);
    return OTA_OK;
}

static const struct ota_delta_port port = {
    .ctx = NULL,
    .begin = begin,
    .read_base = read_base,
    .read_target = read_target,
    .write_target = write_target,
    .checkpoint = save_checkpoint,
};

/* ---- from offer to staged image ---- */

static void halt(void) {
    download.is_active = download.is_fetching = download.wants_fetch = download.is_paused = false;
}

static void end(enum ota_status status) {
    halt();
    if (download.offer.is_of_server && status != OTA_OK) {
        note_stop(download.offer.attempt, status, download.patch_off);
    }
    if (status != OTA_OK) agent_log(AGENT_WARN, "update: stopped, status %d", status);
    tell(UPDATE_ENDED, status);
    if (status == OTA_OK) chip_restart();
}

/* A patch that failed once fails again: its checkpoint is dropped. */
static void fail(enum ota_status status) {
    enum ota_status removed = ota_store_remove(&device.store, OTA_STORE_DOWNLOAD, CHECKPOINT_KEY);
    if (removed != OTA_OK) agent_log(AGENT_WARN, "update: checkpoint not removed, status %d", removed);
    end(status);
}

/* Nothing about the image in the other slot is believed before the full check. */
static enum ota_status stage(void) {
    tell(UPDATE_CHECKING, OTA_OK);
    trial_feed_watchdog();
    uint8_t slot = device_other_slot();
    struct ota_image image;
    TRY(ota_image_check_full(&chip_flash, ota_slot_addr(slot), &device.requirements, &image));
    if (!ota_bytes_equal(image.identity, download.offer.identity, download.offer.identity_len)) return OTA_ERR_IDENTITY;
    if (image.len != download.offer.image_len) return OTA_ERR_IMAGE_LENGTH;
    /* cut: the old slot boots, and the next offer of this image skips the download; or a full trial */
    TRY(device_append(OTA_BOOTLOG_STAGED, slot, OTA_REASON_NONE, download.offer.attempt, image.identity,
                      image.manifest.security_counter));
    return ota_store_remove(&device.store, OTA_STORE_DOWNLOAD, CHECKPOINT_KEY);
}

static enum ota_status finish(void) {
    uint8_t digest[OTA_SHA256_LEN];
    struct ota_sha256 sha = download.sha;
    ota_sha256_final(&sha, digest);
    if (!ota_bytes_equal(digest, download.offer.digest, sizeof digest)) return OTA_ERR_PATCH_DIGEST;
    TRY(ota_delta_finish(&download.delta, &port));
    return stage();
}

/* What comes after the bytes before now.patch_off went well or not. */
static void proceed(enum ota_status status) {
    if (status == OTA_OK && download.patch_off < download.offer.patch_len) {
        fetch_next();
        return;
    }
    if (status == OTA_OK) status = finish();
    if (status == OTA_OK)
        end(status);
    else
        fail(status);
}

/* The identity does not depend on signatures: an image that lacks some is downloaded again. */
static bool is_in_other_slot(const struct offer *offer) {
    struct ota_image image;
    uint32_t addr = ota_slot_addr(device_other_slot());
    if (ota_image_open(&chip_flash, addr, &image) != OTA_OK) return false;
    if (!ota_bytes_equal(image.identity, offer->identity, offer->identity_len)) return false;
    return ota_image_check_full(&chip_flash, addr, &device.requirements, &image) == OTA_OK;
}

static void begin_download(void) {
    struct ota_delta_base base = {.layout = {device.running.len, device.running.manifest.reloc_start}};
    memcpy(base.check, device.running.identity, sizeof base.check);
    download.patch_off = 0;
    ota_sha256_init(&download.sha);
    ota_delta_init(&download.delta, download.counters, OTA_DELTA_COUNTERS_LARGE, &base);
}

/* Goes on from the checkpoint of this patch when there is one. */
static bool resume_download(const struct offer *offer) {
    uint32_t len, patch_off;
    if (ota_store_read(&device.store, OTA_STORE_DOWNLOAD, CHECKPOINT_KEY, &checkpoint, sizeof checkpoint, &len) !=
        OTA_OK)
        return false;
    uint32_t head_len = (uint32_t)offsetof(struct checkpoint, decoder);
    if (len < head_len || checkpoint.layout != CHECKPOINT_LAYOUT || checkpoint.slot != device_other_slot())
        return false;
    if (!ota_bytes_equal(checkpoint.digest, offer->digest, OTA_SHA256_LEN)) return false;
    if (!ota_bytes_equal(checkpoint.base_identity, device.running.identity, OTA_IDENTITY_LEN)) return false;
    if (ota_delta_resume(&download.delta, checkpoint.decoder, len - head_len, &patch_off) != OTA_OK) return false;
    if (patch_off != checkpoint.patch_off || patch_off > offer->patch_len) return false;
    if (check_header(&download.delta.kept.header) != OTA_OK || writer_start(&download.delta.kept.header) != OTA_OK)
        return false;
    download.patch_off = patch_off;
    download.sha = checkpoint.sha;
    return true;
}

static enum ota_status check_offer(const struct offer *offer) {
    if (!device.has_identity) return OTA_ERR_IDENTITY_PAGE;
    if (!offer->is_of_server && !device_is_for_development()) return OTA_ERR_NOT_ALLOWED;
    /* Until CONFIRMED is in flash the other slot is what this device falls back to. */
    if (!device_is_confirmed() || device_is_on_trial() || !device.has_store) return OTA_ERR_STATE;
    if (ota_bytes_equal(offer->identity, device.running.identity, offer->identity_len)) return OTA_ERR_STATE;
    if (offer->image_len > OTA_SLOT_SIZE || offer->image_len < OTA_IMAGE_MIN_LEN) return OTA_ERR_PATCH_SIZE;
    return offer->patch_len != 0 ? OTA_OK : OTA_ERR_PATCH_TRUNCATED;
}

void download_go_on(void) {
    if (!download.is_paused) return;
    download.is_paused = false;
    fetch_next();
}

/* Only the local link waits for an answer. */
static void accept_offer(uint32_t patch_off) {
    if (download.offer.is_of_server)
        agent_log(AGENT_INFO, "update: attempt %lu, %lu of %lu bytes", (unsigned long)download.offer.attempt,
                  (unsigned long)patch_off, (unsigned long)download.offer.patch_len);
    else
        answer_offer(download.offer.attempt, OTA_OK, patch_off);
}

static void take(const struct offer *offer) {
    bool is_same = download.is_active && ota_bytes_equal(offer->digest, download.offer.digest, OTA_SHA256_LEN) &&
                   ota_bytes_equal(offer->identity, download.offer.identity, OTA_IDENTITY_LEN) &&
                   offer->patch_len == download.offer.patch_len && offer->image_len == download.offer.image_len;
    download.offer = *offer;
    if (is_same) {
        accept_offer(download.patch_off);
        download_go_on();
        return; /* a FETCH is open and repeats itself, or is about to be sent */
    }
    halt();
    begin_download();
    if (is_in_other_slot(offer)) {
        accept_offer(offer->patch_len);
        end(stage());
        return;
    }
    if (!resume_download(offer)) begin_download();
    download.is_active = true;
    accept_offer(download.patch_off);
    proceed(OTA_OK);
}

void download_take_offer(const uint8_t *untrusted, uint32_t len) {
    if (len != OFFER_LEN) {
        answer_offer(0, OTA_ERR_MESSAGE, 0);
        return;
    }
    struct offer offer = {
        .attempt = ota_load32_le(untrusted + OFFER_ATTEMPT_AT),
        .identity_len = OTA_IDENTITY_LEN,
        .patch_len = ota_load32_le(untrusted + OFFER_PATCH_LEN_AT),
        .image_len = ota_load32_le(untrusted + OFFER_IMAGE_LEN_AT),
    };
    memcpy(offer.identity, untrusted + OFFER_IDENTITY_AT, sizeof offer.identity);
    memcpy(offer.digest, untrusted + OFFER_DIGEST_AT, sizeof offer.digest);
    enum ota_status status = check_offer(&offer);
    if (status == OTA_OK)
        take(&offer);
    else
        answer_offer(offer.attempt, status, 0);
}

static void decode(const uint8_t *untrusted, uint32_t len) {
    download.piece = untrusted;
    enum ota_status status = ota_delta_push(&download.delta, &port, untrusted, len);
    ota_sha256_update(&download.sha, untrusted, len);
    download.patch_off += len;
    proceed(status);
}

void download_take_server_offer(const struct ota_answer_offer *server) {
    struct offer offer = {
        .is_of_server = true,
        .attempt = server->attempt,
        .identity_len = sizeof server->identity,
        .patch_len = server->patch_len,
        .image_len = server->image_len,
    };
    memcpy(offer.identity, server->identity, sizeof server->identity);
    memcpy(offer.digest, server->patch_digest, sizeof offer.digest);
    if (download_knows(offer.attempt)) return;
    enum ota_status status = check_offer(&offer);
    if (status == OTA_OK)
        take(&offer);
    else
        note_stop(offer.attempt, status, 0);
}

void download_withdraw(uint32_t attempt) {
    if (!download.is_active || !download.offer.is_of_server || download.offer.attempt != attempt) return;
    end(OTA_ERR_STATE); /* the checkpoint stays, for an offer of the same patch */
}

void download_take_data(uint32_t off, struct ota_span untrusted) {
    if (!download.is_active || !download.is_fetching) return;
    if (off != download.patch_off || untrusted.len > download.fetch_len) return; /* answers an earlier FETCH */
    download.is_fetching = false;
    if (untrusted.len == 0)
        fail(OTA_ERR_NOT_FOUND); /* the host does not have it */
    else
        decode(untrusted.bytes, untrusted.len);
}

void download_poll(void) {
    if (download.is_active && download.wants_fetch && !check_in_is_busy()) send_fetch();
    if (!download.is_active || !download.is_fetching || chip_time_ms() - download.fetch_ms < FETCH_REPEAT_MS) return;
    if (download.fetch_tries == FETCH_TRIES && download.offer.is_of_server) {
        download.is_fetching = false;
        download.is_paused = true;
        return;
    }
    if (download.fetch_tries == FETCH_TRIES) {
        end(OTA_ERR_TIMEOUT); /* the checkpoint stays */
        return;
    }
    download.fetch_tries++;
    send_fetch();
}
