/* SPDX-License-Identifier: Apache-2.0 */
/* What survives without power: main flash, the system page (OTP, unique id) and the option bytes, in one
 * file that is mapped, so that the device outlives the process; or in memory when no file is named. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "emu.h"

static void format(struct emu *e)
{
    uint8_t *system = e->store + FLASH_SIZE, *options = system + PAGE;
    memset(e->store, 0xFF, STORE_SIZE);
    memcpy(system + ID_OFFSET, e->config.unique_id, 12);
    system[SIZE_OFFSET] = 0x00; /* 1024 KiB */
    system[SIZE_OFFSET + 1] = 0x04;
    options[0] = 0xEC; /* no protection, software watchdog, BOR off */
    options[1] = 0xAA;
    options[8] = 0xFF;
    options[9] = 0x0F;
}

static bool fail(char *error, size_t error_size, const char *path, const char *why)
{
    snprintf(error, error_size, "flash file %s: %s", path, why);
    return false;
}

/* Map the store. keep_id: take the unique id that an existing file holds; else it must be the same. */
bool emu_store_open(struct emu *e, const char *path, int keep_id, char *error, size_t error_size)
{
    struct stat st;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    bool fresh = true;
    if (path != NULL) {
        flags = MAP_SHARED;
        e->store_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (e->store_fd < 0 || fstat(e->store_fd, &st) != 0)
            return fail(error, error_size, path, strerror(errno));
        if (flock(e->store_fd, LOCK_EX | LOCK_NB) != 0)
            return fail(error, error_size, path, "another emulated device uses it");
        fresh = st.st_size == 0;
        if (!fresh && st.st_size != STORE_SIZE)
            return fail(error, error_size, path, "not the flash of an emulated device (wrong size)");
        if (fresh && ftruncate(e->store_fd, STORE_SIZE) != 0)
            return fail(error, error_size, path, strerror(errno));
    }
    void *at = mmap(NULL, STORE_SIZE, PROT_READ | PROT_WRITE, flags, e->store_fd, 0);
    if (at == MAP_FAILED)
        return fail(error, error_size, path ? path : "(memory)", strerror(errno));
    e->store = at;
    if (fresh)
        format(e);
    else if (!keep_id && memcmp(e->store + FLASH_SIZE + ID_OFFSET, e->config.unique_id, 12) != 0)
        return fail(error, error_size, path, "belongs to a device with another unique id");
    return true;
}

void emu_unique_id(struct emu *e, uint8_t *id) { memcpy(id, e->store + FLASH_SIZE + ID_OFFSET, 12); }

void emu_store_close(struct emu *e)
{
    if (e->store != NULL)
        munmap(e->store, STORE_SIZE);
    if (e->store_fd >= 0)
        close(e->store_fd);
    e->store = NULL;
    e->store_fd = -1;
}
