// SPDX-License-Identifier: Apache-2.0
// Preloaded into a process (LD_PRELOAD): counts what it does to the files of one folder, and what it tells PostgreSQL,
// and lets the disk be full, or the process be killed, from any of these steps on; its clock goes ahead or back.
// Whoever watches shares `struct faults` with it through a file.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum fault {
    FAULT_NONE = 0,
    FAULT_FULL = 1, /* from the step on whatever writes fails with ENOSPC */
    FAULT_KILL = 2, /* the step is half done, and the process is gone */
    FAULT_GROWTH =
        3, /* from the step on only what makes a file, or one longer, fails with ENOSPC; the rest counts not */
};

struct faults {
    _Atomic uint64_t steps;  /* so far, of all processes */
    _Atomic uint64_t at;     /* the step with the fault; the first one is 1 */
    _Atomic uint64_t fault;  /* enum fault */
    _Atomic int64_t ahead_s; /* how far the clock is ahead of this machine's */
};

static struct faults *faults;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MUSTER_FAULTS");
    folder = getenv("MUSTER_FAULTS_FOLDER");
    int fd = path == NULL || folder == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED) faults = shared;
}

static int is_inside(const char *path) {
    char whole[PATH_MAX];
    if (path[0] != '/' && getcwd(whole, sizeof whole) != NULL) {
        size_t len = strlen(whole);
        snprintf(whole + len, sizeof whole - len, "/%s", path);
        path = whole;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}

static int is_watched(int fd) {
    if (faults == NULL) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0) return 0;
    path[len] = '\0';
    return is_inside(path);
}

/* Counts a step, and says what is to become of it. */
static enum fault step(int is_growth) {
    if (!is_growth && atomic_load(&faults->fault) == FAULT_GROWTH) return FAULT_NONE;
    uint64_t number = atomic_fetch_add(&faults->steps, 1) + 1;
    enum fault fault = (enum fault)atomic_load(&faults->fault);
    uint64_t at = atomic_load(&faults->at);
    if ((fault == FAULT_FULL || fault == FAULT_GROWTH) && number >= at) return FAULT_FULL;
    if (fault == FAULT_KILL && number == at) return FAULT_KILL;
    return FAULT_NONE;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int no_space(void) {
    errno = ENOSPC;
    return -1;
}

/* A step that is whole or not begun: before it the process may go. */
static int fails(int is_growth) {
    switch (step(is_growth)) {
    case FAULT_KILL:
        die();
        return 1;
    case FAULT_FULL:
    case FAULT_GROWTH:
        return 1;
    case FAULT_NONE:
        return 0;
    }
    return 0;
}

static int grows(int fd, off_t end) {
    struct stat now;
    return fstat(fd, &now) == 0 && end > now.st_size;
}

/* A write at the file's own place goes on from there. */
static off_t place(int fd) {
    return (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
}

#define NEXT(name)                                                                                                     \
    static __typeof__(&name) next;                                                                                     \
    if (next == NULL) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRITING(name, parameters, arguments, half, end)                                                                \
    ssize_t name parameters {                                                                                          \
        NEXT(name);                                                                                                    \
        if (!is_watched(fd)) return next arguments;                                                                    \
        switch (step(grows(fd, end))) {                                                                                \
        case FAULT_KILL:                                                                                               \
            if (next half < 0) abort();                                                                                \
            die();                                                                                                     \
            return -1;                                                                                                 \
        case FAULT_FULL:                                                                                               \
        case FAULT_GROWTH:                                                                                             \
            return no_space();                                                                                         \
        case FAULT_NONE:                                                                                               \
            return next arguments;                                                                                     \
        }                                                                                                              \
        return -1;                                                                                                     \
    }

WRITING(write, (int fd, const void *from, size_t len), (fd, from, len), (fd, from, len / 2), place(fd) + (off_t)len)
WRITING(pwrite, (int fd, const void *from, size_t len, off_t at), (fd, from, len, at), (fd, from, len / 2, at),
        at + (off_t)len)
WRITING(pwrite64, (int fd, const void *from, size_t len, off64_t at), (fd, from, len, at), (fd, from, len / 2, at),
        at + (off64_t)len)

static size_t total(const struct iovec *parts, int count) {
    size_t len = 0;
    for (int i = 0; i < count; i++) len += parts[i].iov_len;
    return len;
}

WRITING(pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at),
        (fd, parts, count / 2, at), at + (off_t)total(parts, count))
WRITING(pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at),
        (fd, parts, count / 2, at), at + (off64_t)total(parts, count))

/* What is said to PostgreSQL over its socket: no disk is full for it, but it is a moment to be killed at. */
ssize_t send(int fd, const void *from, size_t len, int flags) {
    NEXT(send);
    struct sockaddr_storage name;
    socklen_t name_len = sizeof name;
    int is_armed = faults != NULL && atomic_load(&faults->fault) == FAULT_KILL;
    if (is_armed && getsockname(fd, (struct sockaddr *)&name, &name_len) == 0 && name.ss_family == AF_UNIX &&
        step(0) == FAULT_KILL) {
        if (next(fd, from, len / 2, flags) < 0) abort();
        die();
    }
    return next(fd, from, len, flags);
}

#define WHOLE(name, parameters, arguments, is_growth)                                                                  \
    int name parameters {                                                                                              \
        NEXT(name);                                                                                                    \
        if (is_watched(fd) && fails(is_growth)) return no_space();                                                     \
        return next arguments;                                                                                         \
    }

WHOLE(fsync, (int fd), (fd), 0)
WHOLE(fdatasync, (int fd), (fd), 0)
WHOLE(fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), 1)
WHOLE(fallocate64, (int fd, int mode, off64_t at, off64_t len), (fd, mode, at, len), 1)

int posix_fallocate(int fd, off_t at, off_t len) {
    NEXT(posix_fallocate);
    return is_watched(fd) && fails(1) ? ENOSPC : next(fd, at, len);
}

#define RESIZING(name, type)                                                                                           \
    int name(int fd, type len) {                                                                                       \
        NEXT(name);                                                                                                    \
        /* Making a file smaller needs no space. */                                                                    \
        if (is_watched(fd) && grows(fd, len) && fails(1)) return no_space();                                           \
        return next(fd, len);                                                                                          \
    }

RESIZING(ftruncate, off_t)
RESIZING(ftruncate64, off64_t)

int rename(const char *from, const char *to) {
    NEXT(rename);
    if (faults != NULL && is_inside(to) && fails(0)) return no_space();
    return next(from, to);
}

int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir);
    if (faults != NULL && is_inside(path) && fails(1)) return no_space();
    return next(path, mode);
}

#define OPENING(name)                                                                                                  \
    int name(const char *path, int flags, ...) {                                                                       \
        NEXT(name);                                                                                                    \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;                                               \
        va_end(rest);                                                                                                  \
        /* Opening a file that is there needs no space. */                                                             \
        if (faults != NULL && (flags & O_CREAT) != 0 && is_inside(path) && access(path, F_OK) != 0 && fails(1))        \
            return no_space();                                                                                         \
        return next(path, flags, mode);                                                                                \
    }

OPENING(open)
OPENING(open64)

int clock_gettime(clockid_t clock, struct timespec *now) {
    NEXT(clock_gettime);
    int result = next(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && faults != NULL) now->tv_sec += atomic_load(&faults->ahead_s);
    return result;
}
