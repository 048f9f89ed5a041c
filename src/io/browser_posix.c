/* browser_posix: starts xdg-open (Linux) or open (macOS), or what $BROWSER names, as a
 * grandchild that is nobody's: no zombie, no terminal, none of our descriptors. Between
 * fork and exec only what is safe in a process with threads is called. */
#include "io/browser.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "io/platform.h"

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
#ifndef NSIG
#define NSIG 65
#endif

#define MOST_DESCRIPTORS 65536

/* The environment; for a program that runs with more rights than its user: nothing. */
static const char *env(const char *name)
{
#ifdef __linux__
    const char *value = secure_getenv(name);
#else
    const char *value = getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
#endif
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ---- which program ---- */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Looks through PATH as execvp would, but never in the current directory. */
static bool find_in_path(const char *name, char out[PATH_MAX])
{
    const char *dirs = env("PATH");
    size_t name_n = strlen(name);
    if (dirs == NULL)
        dirs = "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t n = strcspn(dirs, ":");
        if (dirs[0] == '/' && n < PATH_MAX - 2 && name_n < PATH_MAX - 2 - n) {
            memcpy(out, dirs, n);
            out[n] = '/';
            memcpy(out + n + 1, name, name_n + 1);
            if (is_program(out))
                return true;
        }
        if (dirs[n] == '\0')
            return false;
        dirs += n + 1;
    }
}

static bool find(const char *name, char out[PATH_MAX])
{
    if (strchr(name, '/') == NULL)
        return find_in_path(name, out);
    if (name[0] != '/' || strlen(name) >= PATH_MAX || !is_program(name))
        return false;
    memcpy(out, name, strlen(name) + 1);
    return true;
}

static bool is_wsl(void)
{
    return env("WSL_DISTRO_NAME") != NULL || env("WSL_INTEROP") != NULL;
}

/* $BROWSER may be a list, or a command with arguments: that is for xdg-open to read. */
static bool find_launcher(char out[PATH_MAX])
{
    const char *browser = env("BROWSER");
    if (browser != NULL && strpbrk(browser, ": \t\n%\"'\\") == NULL && find(browser, out))
        return true;
#ifdef __APPLE__
    return find("/usr/bin/open", out);
#else
    return find("xdg-open", out) || (is_wsl() && find("wslview", out));
#endif
}

static bool has_screen(void)
{
    bool remote = env("SSH_CONNECTION") != NULL || env("SSH_CLIENT") != NULL || env("SSH_TTY") != NULL;
#ifdef __APPLE__
    return !remote;
#else
    if (env("DISPLAY") != NULL || env("WAYLAND_DISPLAY") != NULL)
        return true;
    return !remote && (env("BROWSER") != NULL || is_wsl());
#endif
}

bool ag_browser_available(void)
{
    char path[PATH_MAX];
    return has_screen() && find_launcher(path);
}

/* ---- starting it ---- */

typedef struct launch {
    const char *path;
    char *const *argv;
    int null;       /* /dev/null */
    int report;     /* errno goes here when it cannot be started; closed by the exec */
    int most;       /* descriptors to look at where close_range is missing */
} launch;

/* Everything but 0, 1 and 2 ends with the exec. */
static void keep_nothing(int most)
{
    int fd;
#if defined(__linux__) && defined(SYS_close_range)
    if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
        return;
#endif
    for (fd = 3; fd < most; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The host's handlers and ignored signals are not the browser's. */
static void reset_signals(void)
{
    struct sigaction plain;
    sigset_t none;
    int sig;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    for (sig = 1; sig < NSIG; sig++)
        (void)sigaction(sig, &plain, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the forked process, whose end this is; the host's own is never ours to call. */
static void become(const launch *it)
{
    int fd, err;
    for (fd = 0; fd < 3; fd++)
        (void)dup2(it->null, fd);
    keep_nothing(it->most);
    reset_signals();
    (void)execv(it->path, it->argv);
    err = errno;
    (void)!write(it->report, &err, sizeof err);
    _Exit(127);
}

static void child(const launch *it)
{
    pid_t pid;
    (void)setsid();
    pid = fork();
    if (pid == 0)
        become(it);
    if (pid < 0) {
        int err = errno;
        (void)!write(it->report, &err, sizeof err);
    }
    _Exit(0);
}

/* Forks with all signals held back, so that no handler of the host's runs in the child. */
static int fork_child(const launch *it)
{
    sigset_t all, before;
    pid_t pid;
    int err;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        child(it);
    err = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return err;
    /* It ends at once. Whoever else waited for it (the host's SIGCHLD handler) is welcome. */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

/* A descriptor that is none of 0, 1, 2, which the host may have closed. */
static int above_standard(int fd)
{
    int moved, err;
    if (fd < 0 || fd > 2)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    err = errno;
    (void)close(fd);
    errno = err;
    return moved;
}

static bool open_pipe(int ends[2])
{
#ifdef __linux__
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
#else
    if (pipe(ends) < 0)
        return false;
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#endif
    ends[1] = above_standard(ends[1]);
    if (ends[1] >= 0)
        return true;
    (void)close(ends[0]);
    return false;
}

/* Waits until the exec (or its failure) closes the pipe: 0, or the child's errno. */
static int read_report(int fd)
{
    int err = 0;
    ssize_t n;
    do
        n = read(fd, &err, sizeof err);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof err ? err : 0;
}

static int start(const char *path, char *const argv[])
{
    launch it = { path, argv, -1, -1, MOST_DESCRIPTORS };
    long most = sysconf(_SC_OPEN_MAX);
    int ends[2], err;
    if (most > 0 && most < MOST_DESCRIPTORS)
        it.most = (int)most;
    if (!open_pipe(ends))
        return errno;
    it.report = ends[1];
    it.null = above_standard(open("/dev/null", O_RDWR | O_CLOEXEC));
    err = it.null < 0 ? errno : fork_child(&it);
    (void)close(ends[1]);
    if (it.null >= 0)
        (void)close(it.null);
    if (err == 0)
        err = read_report(ends[0]);
    (void)close(ends[0]);
    return err;
}

bool ag_browser_launch(const char *url, ag_err *e)
{
    char path[PATH_MAX], text[96];
    char *argv[3] = { path, (char *)(uintptr_t)url, NULL }; /* execv changes nothing of it */
    const char *name;
    int err;
    if (!find_launcher(path))
        return ag_fail(e, AG_E_BROWSER, "no program that opens a browser was found (xdg-open, or one that $BROWSER names)");
    err = start(path, argv);
    if (err == 0)
        return true;
    name = strrchr(path, '/') + 1;
    return ag_fail(e, AG_E_BROWSER, "%.60s could not be started: %s", name, ag_platform_strerror(err, text, sizeof text));
}

#else
typedef int ag_browser_posix_unused; /* ISO C wants something in every file */
#endif
