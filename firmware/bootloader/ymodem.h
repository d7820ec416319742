/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOOTLOADER_YMODEM_H
#define BOOTLOADER_YMODEM_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/status.h"

/* Receiving side of YMODEM (Chuck Forsberg, "XMODEM/YMODEM Protocol Reference", 1988) with CRC-16, blocks of 128 and
 * 1,024 bytes and batches of files, as `sb` of lrzsz sends them. The sender waits for each answer, so flash may be busy
 * in every function of the port. */
struct ymodem_port {
    void *ctx;

    /* A file begins. `len` comes from the sender. A status but OTA_OK cancels the transfer, here and below. */
    enum ota_status (*begin)(void *ctx, uint32_t len);

    /* The file's next bytes; never more than `len` in total. */
    enum ota_status (*data)(void *ctx, const uint8_t *untrusted, uint32_t len);

    /* The whole file has come. */
    enum ota_status (*end)(void *ctx);

    void (*send)(void *ctx, const uint8_t *bytes, uint32_t len);
};

enum ymodem_event {
    YMODEM_BUSY,
    YMODEM_DONE,     /* the sender has ended its batch */
    YMODEM_CANCELED, /* by the sender, by the port (see `status`), or after too many errors */
};

enum { YMODEM_BLOCK_MAX = 1024 };

struct ymodem {
    enum ota_status status; /* why it was canceled; OTA_ERR_FRAME when the sender or the line was at fault */
    bool in_file;
    bool got_header; /* of this batch; the sender is known to be there */
    uint8_t next_block;
    uint8_t error_count;
    uint8_t cancel_count;
    uint32_t file_left;
    uint32_t block_len; /* of the block being received; 0: none */
    uint32_t at;        /* bytes of it so far, with number, complement and CRC */
    uint32_t quiet_ms;  /* when something last happened */
    uint8_t block[2 + YMODEM_BLOCK_MAX + 2];
};

void ymodem_init(struct ymodem *ymodem, uint32_t now_ms);

enum ymodem_event ymodem_push(struct ymodem *ymodem, const struct ymodem_port *port, uint8_t byte, uint32_t now_ms);

/* To be called between bytes: asks the sender to begin, or to repeat what did not come. */
enum ymodem_event ymodem_tick(struct ymodem *ymodem, const struct ymodem_port *port, uint32_t now_ms);

#endif
