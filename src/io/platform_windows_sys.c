/* platform_windows_sys: the table of system calls filled with those of Windows.
 * Compiled, not run. Must never decide anything.
 *
 * Who may read and write a file is a matter of its access list, which it has from
 * its directory; that of %LOCALAPPDATA% names its user. The lists are not looked
 * at here: every file counts as ours. */
#include "io/sys.h"

#ifdef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include "io/platform.h"

#define PATH_SIZE 4096
#define SHARE (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static const struct {
    DWORD error;
    int err;
} errors[] = {
    { ERROR_FILE_NOT_FOUND, ENOENT },     { ERROR_PATH_NOT_FOUND, ENOENT },    { ERROR_ACCESS_DENIED, EACCES },
    { ERROR_SHARING_VIOLATION, EBUSY },   { ERROR_LOCK_VIOLATION, EWOULDBLOCK }, { ERROR_IO_PENDING, EWOULDBLOCK },
    { ERROR_ALREADY_EXISTS, EEXIST },     { ERROR_FILE_EXISTS, EEXIST },       { ERROR_DISK_FULL, ENOSPC },
    { ERROR_HANDLE_DISK_FULL, ENOSPC },   { ERROR_NOT_ENOUGH_MEMORY, ENOMEM }, { ERROR_DIRECTORY, ENOTDIR },
    { ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG }, { ERROR_TOO_MANY_OPEN_FILES, EMFILE }, { ERROR_WRITE_PROTECT, EROFS },
};

static int failed(void)
{
    DWORD error = GetLastError();
    size_t i;
    errno = EIO;
    for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].error == error)
            errno = errors[i].err;
    return -1;
}

static HANDLE handle_of(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

static bool widen(const char *text, wchar_t *out, size_t n)
{
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, out, (int)n) > 0)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* The whole path of name in the open directory dir. */
static bool path_of(int dir, const char *name, wchar_t out[PATH_SIZE])
{
    DWORD n = 0;
    if (dir != AG_SYS_NO_DIR) {
        n = GetFinalPathNameByHandleW(handle_of(dir), out, PATH_SIZE - 2, FILE_NAME_NORMALIZED);
        if (n == 0)
            return failed() == 0;
        if (n >= PATH_SIZE - 2) {
            errno = ENAMETOOLONG;
            return false;
        }
        out[n++] = L'\\';
    }
    return widen(name, out + n, PATH_SIZE - n);
}

/* FILE_FLAG_OPEN_REPARSE_POINT: of a link the link itself, which is then refused. */
static int open_path(const wchar_t *path, DWORD access, DWORD how, DWORD flags, int fd_flags)
{
    BY_HANDLE_FILE_INFORMATION info;
    HANDLE h = CreateFileW(path, access, SHARE, NULL, how, flags | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    int fd;
    if (h == INVALID_HANDLE_VALUE)
        return failed();
    if (!GetFileInformationByHandle(h, &info)) {
        (void)failed();
    } else if ((info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
        errno = ELOOP;
    } else {
        fd = _open_osfhandle((intptr_t)h, fd_flags | _O_BINARY | _O_NOINHERIT);
        if (fd >= 0)
            return fd;
    }
    CloseHandle(h);
    return -1;
}

static int open_dir(void *ud, const char *path)
{
    wchar_t wide[PATH_SIZE];
    (void)ud;
    if (!widen(path, wide, PATH_SIZE))
        return -1;
    return open_path(wide, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, _O_RDONLY);
}

static int open_file(void *ud, int dir, const char *name, ag_sys_how how)
{
    wchar_t path[PATH_SIZE];
    DWORD both = GENERIC_READ | GENERIC_WRITE;
    (void)ud;
    if (!path_of(dir, name, path))
        return -1;
    if (how == AG_SYS_NEW)
        return open_path(path, both | DELETE, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, _O_RDWR);
    if (how == AG_SYS_LOCK)
        return open_path(path, both, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, _O_RDWR);
    return open_path(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, _O_RDONLY);
}

static int close_fd(void *ud, int fd)
{
    (void)ud;
    return _close(fd);
}

static int make_dir(void *ud, const char *path)
{
    wchar_t wide[PATH_SIZE];
    (void)ud;
    if (!widen(path, wide, PATH_SIZE))
        return -1;
    return CreateDirectoryW(wide, NULL) ? 0 : failed();
}

static int fill(HANDLE h, ag_sys_stat *to)
{
    BY_HANDLE_FILE_INFORMATION info;
    FILE_BASIC_INFO times;
    if (!GetFileInformationByHandle(h, &info) ||
        !GetFileInformationByHandleEx(h, FileBasicInfo, &times, sizeof times))
        return failed();
    memset(to, 0, sizeof *to);
    to->dev = info.dwVolumeSerialNumber;
    to->ino = ((uint64_t)info.nFileIndexHigh << 32) | info.nFileIndexLow;
    to->size = ((uint64_t)info.nFileSizeHigh << 32) | info.nFileSizeLow;
    to->links = info.nNumberOfLinks;
    to->mtime_ns = (int64_t)times.LastWriteTime.QuadPart; /* of 100 ns; only ever compared */
    to->ctime_ns = (int64_t)times.ChangeTime.QuadPart;
    to->type = (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 ? AG_SYS_LINK
               : (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0   ? AG_SYS_DIR
                                                                           : AG_SYS_FILE;
    to->ours = true;
    to->others_write = false;
    to->others_read = false;
    return 0;
}

static int stat_fd(void *ud, int fd, ag_sys_stat *to)
{
    (void)ud;
    return fill(handle_of(fd), to);
}

static int stat_name(void *ud, int dir, const char *name, ag_sys_stat *to)
{
    wchar_t path[PATH_SIZE];
    HANDLE h;
    int r, err;
    (void)ud;
    if (!path_of(dir, name, path))
        return -1;
    h = CreateFileW(path, FILE_READ_ATTRIBUTES, SHARE, NULL, OPEN_EXISTING,
                    FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return failed();
    r = fill(h, to);
    err = errno;
    CloseHandle(h);
    errno = err;
    return r;
}

static unsigned int at_most(size_t n)
{
    return n > (1u << 30) ? 1u << 30 : (unsigned int)n;
}

static int64_t read_fd(void *ud, int fd, void *p, size_t n)
{
    (void)ud;
    return _read(fd, p, at_most(n));
}

static int64_t write_fd(void *ud, int fd, const void *p, size_t n)
{
    (void)ud;
    return _write(fd, p, at_most(n));
}

static int sync_fd(void *ud, int fd)
{
    (void)ud;
    return ag_platform_fsync(fd);
}

/* Windows writes names through by itself (see rename) and cannot sync a directory. */
static int sync_dir(void *ud, int fd)
{
    (void)ud;
    (void)fd;
    return 0;
}

static int touch_fd(void *ud, int fd)
{
    FILETIME now;
    (void)ud;
    GetSystemTimePreciseAsFileTime(&now);
    return SetFileTime(handle_of(fd), NULL, NULL, &now) ? 0 : failed();
}

static int rename_in(void *ud, int dir, const char *from, const char *to)
{
    wchar_t from_path[PATH_SIZE], to_path[PATH_SIZE];
    (void)ud;
    if (!path_of(dir, from, from_path) || !path_of(dir, to, to_path))
        return -1;
    return MoveFileExW(from_path, to_path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) ? 0 : failed();
}

static int unlink_in(void *ud, int dir, const char *name)
{
    wchar_t path[PATH_SIZE];
    (void)ud;
    if (!path_of(dir, name, path))
        return -1;
    return DeleteFileW(path) ? 0 : failed();
}

/* Locks bind here, so it is a byte far behind any record's that is locked. */
static OVERLAPPED locked_byte(void)
{
    OVERLAPPED where;
    memset(&where, 0, sizeof where);
    where.OffsetHigh = 0x40000000;
    return where;
}

static int lock_fd(void *ud, int fd)
{
    OVERLAPPED where = locked_byte();
    (void)ud;
    return LockFileEx(handle_of(fd), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &where) ? 0 : failed();
}

static int unlock_fd(void *ud, int fd)
{
    OVERLAPPED where = locked_byte();
    (void)ud;
    return UnlockFileEx(handle_of(fd), 0, 1, 0, &where) ? 0 : failed();
}

static int list_dir(void *ud, int dir, void (*each)(void *arg, const char *name), void *arg)
{
    wchar_t pattern[PATH_SIZE];
    char name[1024];
    WIN32_FIND_DATAW entry;
    HANDLE h;
    (void)ud;
    if (!path_of(dir, "*", pattern))
        return -1;
    h = FindFirstFileW(pattern, &entry);
    if (h == INVALID_HANDLE_VALUE)
        return failed();
    do {
        if (WideCharToMultiByte(CP_UTF8, 0, entry.cFileName, -1, name, (int)sizeof name, NULL, NULL) > 0)
            each(arg, name);
    } while (FindNextFileW(h, &entry));
    FindClose(h);
    return 0;
}

static int random_bytes(void *ud, void *out, size_t n)
{
    (void)ud;
    return ag_platform_random(out, n);
}

const ag_sys ag_sys_real = {
    .open_dir = open_dir,
    .open = open_file,
    .close = close_fd,
    .mkdir = make_dir,
    .fstat = stat_fd,
    .stat = stat_name,
    .read = read_fd,
    .write = write_fd,
    .fsync = sync_fd,
    .fsync_dir = sync_dir,
    .touch = touch_fd,
    .rename = rename_in,
    .unlink = unlink_in,
    .lock = lock_fd,
    .unlock = unlock_fd,
    .list = list_dir,
    .random = random_bytes,
};

#else
typedef int ag_platform_windows_sys_unused; /* ISO C wants something in every file */
#endif
