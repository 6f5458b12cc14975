// Preloaded into a process by tests/support/full_disk.py: the disk below one folder fails from the n-th write
// on. FULL_DISK_ROOT names the folder; FULL_DISK_CONTROL a file of three 64-bit numbers, shared by all
// processes: writes that still succeed, the error number of the others, and how many have failed.

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

struct Control {
    std::atomic<std::int64_t> left, error, failed;
};

template <class Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

Control* control() {
    static Control* const shared = []() -> Control* {
        const char* const name = std::getenv("FULL_DISK_CONTROL");
        if (!name) return nullptr;
        const int file = next<int (*)(const char*, int, ...)>("open")(name, O_RDWR | O_CLOEXEC);
        if (file < 0) return nullptr;
        void* const memory = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
        return memory == MAP_FAILED ? nullptr : static_cast<Control*>(memory);
    }();
    return shared;
}

bool below_root(const char* path) {
    const char* const root = std::getenv("FULL_DISK_ROOT");
    return path && root && std::strncmp(path, root, std::strlen(root)) == 0;
}

bool below_root(int file) {
    char link[64], path[4096];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return false;
    path[length] = 0;
    return below_root(path);
}

template <class Place>
bool fails(Place place) {
    const int before = errno;
    Control* const shared = control();
    if (!shared || !below_root(place) || shared->left.fetch_sub(1) > 0) {
        errno = before;
        return false;
    }
    ++shared->failed;
    errno = static_cast<int>(shared->error.load());
    return true;
}

} // namespace

extern "C" {

ssize_t write(int file, const void* data, size_t size) {
    static const auto real = next<decltype(&write)>("write");
    return fails(file) ? -1 : real(file, data, size);
}

ssize_t pwrite(int file, const void* data, size_t size, off_t offset) {
    static const auto real = next<decltype(&pwrite)>("pwrite");
    return fails(file) ? -1 : real(file, data, size, offset);
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t offset) {
    static const auto real = next<decltype(&pwrite64)>("pwrite64");
    return fails(file) ? -1 : real(file, data, size, offset);
}

ssize_t writev(int file, const iovec* parts, int count) {
    static const auto real = next<decltype(&writev)>("writev");
    return fails(file) ? -1 : real(file, parts, count);
}

int fsync(int file) {
    static const auto real = next<decltype(&fsync)>("fsync");
    return fails(file) ? -1 : real(file);
}

int ftruncate64(int file, off64_t size) noexcept {
    static const auto real = next<int (*)(int, off64_t)>("ftruncate64");
    return fails(file) ? -1 : real(file, size);
}

int mkdir(const char* path, mode_t mode) noexcept {
    static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
    return fails(path) ? -1 : real(path, mode);
}

int open(const char* path, int flags, ...) {
    static const auto real = next<int (*)(const char*, int, ...)>("open");
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return (flags & O_CREAT) && fails(path) ? -1 : real(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    static const auto real = next<int (*)(const char*, int, ...)>("open64");
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return (flags & O_CREAT) && fails(path) ? -1 : real(path, flags, mode);
}

} // extern "C"
