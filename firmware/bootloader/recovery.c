/* SPDX-License-Identifier: Apache-2.0 */
#include "recovery.h"

#include <string.h>

#include "chip/cpu.h"
#include "chip/flash.h"
#include "chip/time.h"
#include "chip/uart.h"
#include "console.h"
#include "ota/bootlog.h"
#include "ota/sector.h"
#include "ota/slot_writer.h"
#include "ymodem.h"

enum {
    KEYSET_FIRST_BYTE = 0x82, /* CBOR array of two; an image begins with the 0x00 of an address */
    QUIET_MS = 1000,          /* a canceled sender's last bytes end well before */
};

enum recovery_file { FILE_UNKNOWN, FILE_KEYSET, FILE_IMAGE };

struct recovery {
    struct ota_image_requirements device;
    const struct ota_roots *roots;
    struct ota_bootlog log;
    struct ota_bootlog_facts facts;
    struct ota_keyset keyset;
    enum recovery_file file;
    uint32_t len;
    uint32_t done;
    bool has_image;
    uint8_t keyset_bytes[OTA_KEYSET_MAX_LEN];
    struct ymodem ymodem;
};

static enum ota_status file_begin(void *ctx, uint32_t len) {
    struct recovery *recovery = ctx;
    recovery->file = FILE_UNKNOWN;
    recovery->len = len;
    recovery->done = 0;
    return len <= OTA_SLOT_SIZE ? OTA_OK : OTA_ERR_IMAGE_LENGTH;
}

/* Nothing here can be started, so slot A holds nothing that is needed; written straight, without relocation. */
static enum ota_status file_first(struct recovery *recovery, uint8_t first_byte) {
    if (first_byte == KEYSET_FIRST_BYTE) {
        recovery->file = FILE_KEYSET;
        return recovery->len <= OTA_KEYSET_MAX_LEN ? OTA_OK : OTA_ERR_KEYSET;
    }
    recovery->file = FILE_IMAGE;
    recovery->has_image = false;
    if (recovery->len % 4 != 0) return OTA_ERR_IMAGE_LENGTH;
    /* cut: nothing bootable, recovery again */
    return ota_slot_erase(&chip_flash, OTA_SLOT_A_ADDR);
}

static enum ota_status file_data(void *ctx, const uint8_t *untrusted, uint32_t len) {
    struct recovery *recovery = ctx;
    if (recovery->done == 0) TRY(file_first(recovery, untrusted[0]));
    if (recovery->file == FILE_KEYSET) {
        memcpy(recovery->keyset_bytes + recovery->done, untrusted, len);
    } else {
        /* cut: an image that does not pass its check, recovery again */
        TRY(chip_flash.program(chip_flash.ctx, OTA_SLOT_A_ADDR + recovery->done, untrusted, len));
    }
    recovery->done += len;
    return OTA_OK;
}

static enum ota_status accept_keyset(struct recovery *recovery) {
    if (recovery->roots == NULL) return OTA_ERR_IDENTITY_PAGE;
    TRY(ota_bootlog_accept_keyset(&recovery->log, recovery->roots, recovery->keyset_bytes, recovery->len,
                                  &recovery->keyset));
    recovery->device.keyset = &recovery->keyset;
    return OTA_OK;
}

static enum ota_status accept_image(struct recovery *recovery) {
    struct ota_image image;
    TRY(ota_image_check_full(&chip_flash, OTA_SLOT_A_ADDR, &recovery->device, &image));
    if (image.len != recovery->len) return OTA_ERR_IMAGE_LENGTH;
    struct ota_bootlog_record record = {
        .type = OTA_BOOTLOG_CONFIRMED,
        .slot = OTA_SLOT_A,
        .reason = OTA_REASON_RECOVERED,
        .security_counter = image.manifest.security_counter,
    };
    memcpy(record.identity, image.identity, sizeof record.identity);
    /* cut: the record is there or not; without it the next boot finds the image by its full check or comes back here */
    TRY(ota_bootlog_append(&recovery->log, &record));
    recovery->has_image = true;
    return OTA_OK;
}

static enum ota_status file_end(void *ctx) {
    struct recovery *recovery = ctx;
    return recovery->file == FILE_KEYSET ? accept_keyset(recovery) : accept_image(recovery);
}

static void send(void *ctx, const uint8_t *bytes, uint32_t len) {
    (void)ctx;
    chip_uart_write(bytes, len);
    chip_uart_flush(); /* flash may be busy next */
}

static enum ymodem_event receive_batch(struct recovery *recovery) {
    const struct ymodem_port port = {recovery, file_begin, file_data, file_end, send};
    ymodem_init(&recovery->ymodem, chip_time_ms());
    for (;;) {
        uint8_t byte;
        enum ymodem_event event;
        if (chip_uart_read(&byte, 1) == 1) {
            event = ymodem_push(&recovery->ymodem, &port, byte, chip_time_ms());
        } else {
            event = ymodem_tick(&recovery->ymodem, &port, chip_time_ms());
            if (event == YMODEM_BUSY) chip_idle();
        }
        if (event != YMODEM_BUSY) return event;
    }
}

static void drop_input(void) {
    uint32_t since_ms = chip_time_ms();
    uint8_t byte;
    while (chip_time_ms() - since_ms < QUIET_MS) {
        if (chip_uart_read(&byte, 1) == 1)
            since_ms = chip_time_ms();
        else
            chip_idle();
    }
}

/* The log may be unreadable: then there is no key set and no counter to keep, as on a new device. */
static void read_log(struct recovery *recovery) {
    recovery->device.keyset = NULL;
    recovery->device.security_counter = 0;
    if (ota_bootlog_mount(&recovery->log, &chip_flash) != OTA_OK) return;
    if (ota_bootlog_read_facts(&recovery->log, &recovery->facts) == OTA_OK && recovery->facts.has_confirmed) {
        recovery->device.security_counter = recovery->facts.confirmed.security_counter;
    }
    if (ota_bootlog_read_keyset(&recovery->log, &recovery->keyset) == OTA_OK)
        recovery->device.keyset = &recovery->keyset;
}

_Noreturn void recovery_run(const struct ota_image_requirements *device, const struct ota_roots *roots) {
    static struct recovery recovery;
    recovery.device = *device;
    recovery.roots = roots;
    read_log(&recovery);
    for (;;) {
        console_text("muster boot ");
        console_number(device->bootloader_version);
        console_text(": recovery, send a signed image by YMODEM\r\n");
        enum ymodem_event event = receive_batch(&recovery);
        drop_input();
        if (recovery.has_image) {
            console_text("muster boot: image accepted\r\n");
            chip_uart_flush();
            chip_restart();
        }
        if (event == YMODEM_CANCELED) {
            console_text("muster boot: refused, status ");
            console_number(recovery.ymodem.status);
            console_text("\r\n");
        }
    }
}
