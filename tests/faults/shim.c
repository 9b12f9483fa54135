// Stands between the sidecar and the C library (LD_PRELOAD), so that faults can be planned for the very binary that is shipped.
//
// A small file that the harness has mapped too says what goes wrong: the operations on files whose path contains `where` are
// counted, and those numbered `first` to `last` fail or kill the process, before, in the middle of, or after they are done.
// For some callers the clock is shifted by `clock_ns`. Without the file, or with nothing planned, everything passes through.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, CREATE = 4, RENAME = 8, UNLINK = 16, TRUNCATE = 32 };
enum action { NOTHING, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY, NO_SPACE, NO_SPACE_HALFWAY, IO_ERROR };

struct control {
  _Atomic int64_t clock_ns;
  _Atomic int64_t seen;
  _Atomic int64_t first, last;
  _Atomic int32_t action;
  _Atomic int32_t kinds;
  // How much of what is cut is done, of 256.
  _Atomic int32_t portion;
  char where[208];
};

static struct control *control;

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("FAULTS_CONTROL");
  if (!path) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (mapped != MAP_FAILED) control = mapped;
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void die(void) {
  for (;;) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

// Returns what is to happen to this operation.
static enum action planned(enum kind kind, const char *path) {
  if (!control || !path) return NOTHING;
  enum action action = (enum action)atomic_load(&control->action);
  if (!(atomic_load(&control->kinds) & (int)kind) || !strstr(path, control->where)) return NOTHING;
  int64_t number = atomic_fetch_add(&control->seen, 1) + 1;
  if (number < atomic_load(&control->first) || number > atomic_load(&control->last)) return NOTHING;
  if (action == KILL_BEFORE) die();
  // What is not cut in two is done whole or not at all.
  if (kind != WRITE && action == KILL_HALFWAY) return KILL_AFTER;
  if (kind != WRITE && action == NO_SPACE_HALFWAY) action = NO_SPACE;
  // Nothing is needed to remove a file or to make it shorter.
  if ((kind == UNLINK || kind == TRUNCATE) && action == NO_SPACE) return NOTHING;
  return action;
}

static enum action planned_at(enum kind kind, int fd) {
  if (!control || !(atomic_load(&control->kinds) & (int)kind)) return NOTHING;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = (ssize_t)syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (length < 0) return NOTHING;
  path[length] = 0;
  return planned(kind, path);
}

static int failed(enum action action) {
  if (action == NO_SPACE || action == IO_ERROR) {
    errno = action == IO_ERROR ? EIO : ENOSPC;
    return 1;
  }
  return 0;
}

// Returns how much is written of what is cut; 0 when too little is there to be cut.
static size_t part_of(size_t size) {
  return control ? size * (size_t)atomic_load(&control->portion) / 256 : 0;
}

// Does the operation unless it is to fail, and dies behind it if that is planned.
#define CARRY_OUT(found, type, operation) \
  do { \
    enum action what = (found); \
    if (failed(what)) return -1; \
    type result = (operation); \
    if (what == KILL_AFTER) die(); \
    return result; \
  } while (0)

// The same for what writes `length` bytes and can do so in part.
#define CARRY_OUT_WRITE(fd, length, whole, cut) \
  do { \
    enum action what = planned_at(WRITE, fd); \
    if ((what == KILL_HALFWAY || what == NO_SPACE_HALFWAY) && part_of(length)) { \
      ssize_t part = (cut); \
      if (what == KILL_HALFWAY) die(); \
      return part; \
    } \
    if (what == NO_SPACE_HALFWAY) what = NO_SPACE; \
    if (what == KILL_HALFWAY) what = KILL_AFTER; \
    if (failed(what)) return -1; \
    ssize_t result = (whole); \
    if (what == KILL_AFTER) die(); \
    return result; \
  } while (0)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  CARRY_OUT_WRITE(fd, size, real(fd, data, size), real(fd, data, part_of(size)));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  REAL(pwrite);
  CARRY_OUT_WRITE(fd, size, real(fd, data, size, at), real(fd, data, part_of(size), at));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(pwrite64);
  CARRY_OUT_WRITE(fd, size, real(fd, data, size, at), real(fd, data, part_of(size), at));
}

// Of several parts the first is cut.
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  CARRY_OUT_WRITE(fd, (count ? parts[0].iov_len : 0), real(fd, parts, count), write(fd, parts[0].iov_base, part_of(parts[0].iov_len)));
}

int fsync(int fd) {
  REAL(fsync);
  CARRY_OUT(planned_at(SYNC, fd), int, real(fd));
}

int fdatasync(int fd) {
  REAL(fdatasync);
  CARRY_OUT(planned_at(SYNC, fd), int, real(fd));
}

int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  CARRY_OUT(planned_at(TRUNCATE, fd), int, real(fd, size));
}

int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  CARRY_OUT(planned_at(TRUNCATE, fd), int, real(fd, size));
}

int fallocate(int fd, int mode, off_t at, off_t size) {
  REAL(fallocate);
  CARRY_OUT(planned_at(WRITE, fd), int, real(fd, mode, at, size));
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  REAL(fallocate64);
  CARRY_OUT(planned_at(WRITE, fd), int, real(fd, mode, at, size));
}

int posix_fallocate(int fd, off_t at, off_t size) {
  REAL(posix_fallocate);
  enum action what = planned_at(WRITE, fd);
  if (failed(what)) return errno;
  int result = real(fd, at, size);
  if (what == KILL_AFTER) die();
  return result;
}

int rename(const char *from, const char *to) {
  REAL(rename);
  CARRY_OUT(planned(RENAME, to), int, real(from, to));
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
  REAL(renameat);
  CARRY_OUT(planned(RENAME, to), int, real(from_at, from, to_at, to));
}

int unlink(const char *path) {
  REAL(unlink);
  CARRY_OUT(planned(UNLINK, path), int, real(path));
}

int unlinkat(int at, const char *path, int flags) {
  REAL(unlinkat);
  CARRY_OUT(planned(UNLINK, path), int, real(at, path, flags));
}

#define MODE(flags, mode) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = (mode_t)va_arg(rest, int); \
    va_end(rest); \
  }

int open(const char *path, int flags, ...) {
  REAL(open);
  MODE(flags, mode);
  CARRY_OUT(flags & O_CREAT ? planned(CREATE, path) : NOTHING, int, real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
  REAL(open64);
  MODE(flags, mode);
  CARRY_OUT(flags & O_CREAT ? planned(CREATE, path) : NOTHING, int, real(path, flags, mode));
}

int openat(int at, const char *path, int flags, ...) {
  REAL(openat);
  MODE(flags, mode);
  CARRY_OUT(flags & O_CREAT ? planned(CREATE, path) : NOTHING, int, real(at, path, flags, mode));
}

int openat64(int at, const char *path, int flags, ...) {
  REAL(openat64);
  MODE(flags, mode);
  CARRY_OUT(flags & O_CREAT ? planned(CREATE, path) : NOTHING, int, real(at, path, flags, mode));
}

// Only the callers that are named see another time: a library that hands times to the kernel, as deadlines, would wait for ever.
static int64_t shift_for(void *caller) {
  int64_t shift = control ? atomic_load(&control->clock_ns) : 0;
  if (!shift) return 0;
  const char *callers = getenv("FAULTS_CLOCK_OF");
  Dl_info from;
  return callers && dladdr(caller, &from) && from.dli_fname && strstr(from.dli_fname, callers) ? shift : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  REAL(clock_gettime);
  int result = real(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t shift = shift_for(__builtin_return_address(0));
    if (shift) {
      int64_t ns = time->tv_nsec + shift % 1000000000;
      time->tv_sec += shift / 1000000000 + (ns < 0 ? -1 : ns / 1000000000);
      time->tv_nsec = (ns + 1000000000) % 1000000000;
    }
  }
  return result;
}
