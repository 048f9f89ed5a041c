/* file_test: see the header.
 *   test.fault{ op=, nth=, times=, errno= | kill="before"|"after"|"stop", most= }; test.fault() ends it
 *   test.count() -> calls that matched since
 *   test.record(true|false)
 *   test.fail_alloc(n): the n-th allocation from now fails, 0: none
 *   test.descriptors(): how many are open, in a count that is always off by the same
 *   test.fork(), test.wait(pid), test.pid(), test.exit(status): processes without exec
 *   test.become(status): ends a child of one that has threads or transfers, by exec
 *   test.records() -> what was recorded, once: array of { op=, fd=, result=, errno=, name=, to=, bytes= } */
#include "lua/file_test.h"

#ifdef AG_TEST

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/alloc_test.h"

static const struct {
    const char *name;
    int value;
} errors[] = {
    { "EACCES", EACCES }, { "EAGAIN", EAGAIN }, { "EDQUOT", EDQUOT }, { "EINTR", EINTR },   { "EINVAL", EINVAL },
    { "EIO", EIO },       { "EMFILE", EMFILE }, { "ENOENT", ENOENT }, { "ENOLCK", ENOLCK }, { "ENOSPC", ENOSPC },
    { "EPERM", EPERM },   { "EROFS", EROFS },   { NULL, 0 },
};

static int errno_of(lua_State *L, const char *name)
{
    int i;
    for (i = 0; errors[i].name != NULL; i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].value;
    return luaL_error(L, "no such errno: %s", name);
}

static const char *errno_name(int value)
{
    int i;
    for (i = 0; errors[i].name != NULL; i++)
        if (errors[i].value == value)
            return errors[i].name;
    return "other";
}

static long number(lua_State *L, const char *key, long otherwise)
{
    long n;
    lua_getfield(L, 1, key);
    n = lua_isnil(L, -1) ? otherwise : (long)luaL_checknumber(L, -1);
    lua_pop(L, 1);
    return n;
}

static int test_fault(lua_State *L)
{
    ag_sys_fault f = { "", 0, 0, AG_SYS_FAULT_ERROR, EIO, 0 };
    const char *text;
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        ag_sys_test_fault(NULL);
        return 0;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    f.nth = number(L, "nth", 0);
    f.times = number(L, "times", 1);
    f.most = (size_t)number(L, "most", 0);
    lua_getfield(L, 1, "op");
    text = luaL_optstring(L, -1, "");
    luaL_argcheck(L, strlen(text) < sizeof f.op, 1, "op is too long");
    memcpy(f.op, text, strlen(text) + 1);
    lua_getfield(L, 1, "errno");
    f.err = errno_of(L, luaL_optstring(L, -1, "EIO"));
    lua_getfield(L, 1, "kill");
    text = luaL_optstring(L, -1, "");
    if (text[0] != '\0')
        f.kind = text[0] == 'b'   ? AG_SYS_FAULT_KILL_BEFORE
                 : text[0] == 's' ? AG_SYS_FAULT_STOP
                                  : AG_SYS_FAULT_KILL_AFTER;
    ag_sys_test_fault(&f);
    return 0;
}

static int test_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)ag_sys_test_count());
    return 1;
}

static int test_record(lua_State *L)
{
    ag_sys_test_record(lua_toboolean(L, 1));
    return 0;
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    if (text == NULL)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void push_record(lua_State *L, const ag_sys_record *r)
{
    lua_createtable(L, 0, 6);
    set_text(L, "op", r->op);
    set_text(L, "name", r->name);
    set_text(L, "to", r->to);
    if (r->err != 0)
        set_text(L, "errno", errno_name(r->err));
    lua_pushinteger(L, (lua_Integer)r->fd);
    lua_setfield(L, -2, "fd");
    lua_pushinteger(L, (lua_Integer)r->result);
    lua_setfield(L, -2, "result");
    if (r->bytes != NULL) {
        lua_pushlstring(L, r->bytes, r->n);
        lua_setfield(L, -2, "bytes");
    }
}

static int test_records(lua_State *L)
{
    size_t i, n;
    const ag_sys_record *r = ag_sys_test_records(&n);
    lua_createtable(L, (int)n, 0);
    for (i = 0; i < n; i++) {
        push_record(L, &r[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    ag_sys_test_forget();
    return 1;
}

static void count_name(void *arg, const char *name)
{
    (void)name;
    ++*(lua_Integer *)arg;
}

static int test_descriptors(lua_State *L)
{
    lua_Integer n = 0;
    int dir = ag_sys_real.open_dir(NULL, "/proc/self/fd");
    if (dir < 0 || ag_sys_real.list(NULL, dir, count_name, &n) != 0)
        return luaL_error(L, "no /proc/self/fd");
    (void)ag_sys_real.close(NULL, dir);
    lua_pushinteger(L, n);
    return 1;
}

static int test_fail_alloc(lua_State *L)
{
    ag_alloc_test_set((long)luaL_checknumber(L, 1));
    return 0;
}

/* fork without exec, for the specs about forked children: 0 in the child. */
static int test_fork(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)fork());
    return 1;
}

static int test_pid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

/* Waits for a forked child: its exit status, or nil and the signal that ended or stopped it. */
static int test_wait(lua_State *L)
{
    int status = 0;
    pid_t pid = (pid_t)luaL_checknumber(L, 1);
    while (waitpid(pid, &status, WUNTRACED) < 0)
        if (errno != EINTR)
            return luaL_error(L, "no such child");
    if (WIFEXITED(status)) {
        lua_pushinteger(L, WEXITSTATUS(status));
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status));
    return 2;
}

/* Ends a forked child without running anything of the parent's. */
static int test_exit(lua_State *L)
{
    _exit((int)luaL_checknumber(L, 1));
}

/* The same for a child that valgrind would miss memory in at its exit: what belonged to a thread of the parent's, which
 * fork has not copied, and the parent's transfers, which a child leaves as they are. It does not look where one execs. */
static int test_become(lua_State *L)
{
    int status = (int)luaL_checknumber(L, 1);
    if (status == 0)
        (void)execl("/bin/true", "true", (char *)NULL);
    _exit(status == 0 ? 1 : status);
}

static const luaL_Reg functions[] = {
    { "fault", test_fault },     { "count", test_count }, { "record", test_record }, { "records", test_records },
    { "fork", test_fork },       { "wait", test_wait },   { "pid", test_pid },       { "exit", test_exit },
    { "become", test_become },   { "fail_alloc", test_fail_alloc },
    { "descriptors", test_descriptors },
    { NULL, NULL },
};

void ag_file_test_push(lua_State *L)
{
    luaL_newlib(L, functions);
}

#else
typedef int ag_file_test_unused; /* ISO C wants something in every file */
#endif
