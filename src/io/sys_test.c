/* sys_test: see the header. */
#include "io/sys_test.h"

#if defined(AG_TEST) && !defined(_WIN32)

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static ag_sys_fault fault;
static long matched;
static bool recording;
static ag_sys_record *records;
static size_t used, room;

void ag_sys_test_fault(const ag_sys_fault *f)
{
    static const ag_sys_fault none;
    fault = f == NULL ? none : *f;
    matched = 0;
}

long ag_sys_test_count(void)
{
    return matched;
}

void ag_sys_test_record(bool on)
{
    recording = on;
}

void ag_sys_test_forget(void)
{
    size_t i;
    for (i = 0; i < used; i++) {
        free(records[i].name);
        free(records[i].to);
        free(records[i].bytes);
    }
    free(records);
    records = NULL;
    used = room = 0;
}

const ag_sys_record *ag_sys_test_records(size_t *n)
{
    *n = used;
    return records;
}

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static char *copy(const char *s)
{
    return s == NULL ? NULL : must(strdup(s));
}

/* What one call is about; given to it on its way in and out. */
typedef struct call {
    const char *op;
    int fd;
    const char *name, *to;
    const void *bytes;
    bool hit;
} call;

static void keep(const call *c, int64_t result, int err)
{
    ag_sys_record *r;
    if (used == room) {
        room = room == 0 ? 64 : room * 2;
        records = must(realloc(records, room * sizeof *records));
    }
    r = &records[used++];
    *r = (ag_sys_record){ c->op, c->fd, result, err, copy(c->name), copy(c->to), NULL, 0 };
    if (c->bytes != NULL && result > 0) {
        r->n = (size_t)result;
        r->bytes = must(malloc(r->n));
        memcpy(r->bytes, c->bytes, r->n);
    }
}

/* true: the call is not to be made, errno says what it "failed" with. */
static bool before(call *c)
{
    if (fault.op[0] == '\0' || strcmp(fault.op, c->op) == 0) {
        matched++;
        c->hit = fault.nth > 0 && matched >= fault.nth && matched - fault.nth < fault.times;
    }
    if (!c->hit)
        return false;
    if (fault.kind == AG_SYS_FAULT_KILL_BEFORE)
        (void)raise(SIGKILL);
    if (fault.kind == AG_SYS_FAULT_STOP)
        (void)raise(SIGSTOP);
    errno = fault.err;
    return fault.kind == AG_SYS_FAULT_ERROR;
}

static int64_t after(const call *c, int64_t result)
{
    int err = errno;
    if (c->hit && fault.kind == AG_SYS_FAULT_KILL_AFTER)
        (void)raise(SIGKILL);
    if (recording)
        keep(c, result, result < 0 ? err : 0);
    errno = err;
    return result;
}

#define REAL(entry, ...) ag_sys_real.entry(ag_sys_real.ud, __VA_ARGS__)
#define STEP(c, real) after(&(c), before(&(c)) ? -1 : (int64_t)(real))

static int t_open_dir(void *ud, const char *path)
{
    call c = { "open_dir", -1, path, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, c.fd = REAL(open_dir, path));
}

static int t_open(void *ud, int dir, const char *name, ag_sys_how how)
{
    /* Three operations, so that each can be made to fail by itself. */
    call c = { how == AG_SYS_NEW ? "open_new" : how == AG_SYS_LOCK ? "open_lock" : "open", dir, name, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(open, dir, name, how));
}

static int t_close(void *ud, int fd)
{
    call c = { "close", fd, NULL, NULL, NULL, false };
    (void)ud;
    if (before(&c)) {
        int err = errno;
        (void)REAL(close, fd); /* as systems do: the descriptor is gone even so */
        errno = err;
        return (int)after(&c, -1);
    }
    return (int)after(&c, REAL(close, fd));
}

static int t_mkdir(void *ud, const char *path)
{
    call c = { "mkdir", -1, path, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(mkdir, path));
}

static int t_fstat(void *ud, int fd, ag_sys_stat *st)
{
    call c = { "fstat", fd, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(fstat, fd, st));
}

static int t_stat(void *ud, int dir, const char *name, ag_sys_stat *st)
{
    call c = { "stat", dir, name, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(stat, dir, name, st));
}

static int64_t t_read(void *ud, int fd, void *p, size_t n)
{
    call c = { "read", fd, NULL, NULL, NULL, false };
    (void)ud;
    return STEP(c, REAL(read, fd, p, n));
}

static int64_t t_write(void *ud, int fd, const void *p, size_t n)
{
    call c = { "write", fd, NULL, NULL, p, false };
    (void)ud;
    if (fault.most > 0 && n > fault.most)
        n = fault.most;
    return STEP(c, REAL(write, fd, p, n));
}

static int t_fsync(void *ud, int fd)
{
    call c = { "fsync", fd, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(fsync, fd));
}

static int t_fsync_dir(void *ud, int fd)
{
    call c = { "fsync_dir", fd, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(fsync_dir, fd));
}

static int t_touch(void *ud, int fd)
{
    call c = { "touch", fd, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(touch, fd));
}

static int t_rename(void *ud, int dir, const char *from, const char *to)
{
    call c = { "rename", dir, from, to, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(rename, dir, from, to));
}

static int t_unlink(void *ud, int dir, const char *name)
{
    call c = { "unlink", dir, name, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(unlink, dir, name));
}

static int t_lock(void *ud, int fd)
{
    call c = { "lock", fd, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(lock, fd));
}

static int t_unlock(void *ud, int fd)
{
    call c = { "unlock", fd, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(unlock, fd));
}

static int t_list(void *ud, int dir, void (*each)(void *arg, const char *name), void *arg)
{
    call c = { "list", dir, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(list, dir, each, arg));
}

static int t_random(void *ud, void *out, size_t n)
{
    call c = { "random", -1, NULL, NULL, NULL, false };
    (void)ud;
    return (int)STEP(c, REAL(random, out, n));
}

const ag_sys ag_sys_test = {
    .open_dir = t_open_dir,
    .open = t_open,
    .close = t_close,
    .mkdir = t_mkdir,
    .fstat = t_fstat,
    .stat = t_stat,
    .read = t_read,
    .write = t_write,
    .fsync = t_fsync,
    .fsync_dir = t_fsync_dir,
    .touch = t_touch,
    .rename = t_rename,
    .unlink = t_unlink,
    .lock = t_lock,
    .unlock = t_unlock,
    .list = t_list,
    .random = t_random,
};

#else
typedef int ag_sys_test_unused; /* ISO C wants something in every file */
#endif
