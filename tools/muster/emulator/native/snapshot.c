/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a whole device: CPU, RAM, flash, peripherals, time, and the bytes on its wires. */
#include <stdlib.h>
#include "emu.h"

struct emu_snapshot {
    struct emu_state s;
    struct bytes rx[UARTS], tx[UARTS];
    uint16_t pin_last[PORTS];
    uint8_t *ram, *store;
};

void emu_snapshot_free(struct emu_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    for (int i = 0; i < UARTS; i++) {
        free(snapshot->rx[i].data);
        free(snapshot->tx[i].data);
    }
    free(snapshot->ram);
    free(snapshot->store);
    free(snapshot);
}

static bool copy_bytes(struct bytes *to, const struct bytes *from)
{
    emu_bytes_clear(to);
    return from->end == from->start || emu_bytes_push(to, from->data + from->start, from->end - from->start);
}

struct emu_snapshot *emu_snapshot_take(struct emu *e)
{
    struct emu_snapshot *n = calloc(1, sizeof *n);
    bool ok = n != NULL && (n->ram = malloc(RAM_SIZE)) != NULL && (n->store = malloc(STORE_SIZE)) != NULL;
    for (int i = 0; ok && i < UARTS; i++)
        ok = copy_bytes(&n->rx[i], &e->rx[i]) && copy_bytes(&n->tx[i], &e->tx[i]);
    if (!ok) {
        emu_snapshot_free(n);
        return NULL;
    }
    n->s = e->s;
    n->s.when[EV_CUT] = EMU_NEVER; /* an armed cut is the host's, not the device's */
    emu_cpu_save(e, &n->s.cpu);
    memcpy(n->ram, e->ram, RAM_SIZE);
    memcpy(n->store, e->store, STORE_SIZE);
    memcpy(n->pin_last, e->pin_last, sizeof n->pin_last);
    return n;
}

static void restore_pages(struct emu *e, uint32_t base, uint8_t *to, const uint8_t *from, uint32_t size)
{
    for (uint32_t off = 0; off < size; off += PAGE)
        if (memcmp(to + off, from + off, PAGE) != 0) {
            memcpy(to + off, from + off, PAGE);
            if (base != 0)
                emu_block_forget(e, base + off, PAGE);
        }
}

int emu_snapshot_restore(struct emu *e, const struct emu_snapshot *n)
{
    for (int i = 0; i < UARTS; i++)
        if (!copy_bytes(&e->rx[i], &n->rx[i]) || !copy_bytes(&e->tx[i], &n->tx[i]))
            return -1;
    e->s = n->s;
    emu_cpu_load(e, &n->s.cpu);
    restore_pages(e, RAM_BASE, e->ram, n->ram, RAM_SIZE);
    restore_pages(e, FLASH_BASE, e->store, n->store, FLASH_SIZE);
    restore_pages(e, 0, e->store + FLASH_SIZE, n->store + FLASH_SIZE, STORE_SIZE - FLASH_SIZE);
    memcpy(e->pin_last, n->pin_last, sizeof e->pin_last);
    e->cut = e->stop_request = false;
    e->cut_operation = 0;
    emu_attention(e);
    return 0;
}
