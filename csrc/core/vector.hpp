#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// Vectors of 64 bytes for kernels whose innermost axis is the features. The compiler splits them into what
// the machine has. MORPHOBENCH_CLONES compiles a function once per instruction set, and picks one at load
// time.
// The Thread Sanitizer cannot run the resolvers that choose a clone at loading.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) &&                 \
    !defined(__SANITIZE_THREAD__)
#define MORPHOBENCH_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MORPHOBENCH_CLONES
#endif
#define MORPHOBENCH_INLINE __attribute__((always_inline)) inline

namespace morphobench {

template <class T>
struct Lanes;

template <>
struct Lanes<float> {
    static constexpr std::size_t count = 16;
    typedef float Vector __attribute__((vector_size(64)));
    typedef std::int32_t Index __attribute__((vector_size(64)));
    typedef std::uint8_t Bytes __attribute__((vector_size(16)));
};

template <>
struct Lanes<double> {
    static constexpr std::size_t count = 8;
    typedef double Vector __attribute__((vector_size(64)));
    typedef std::int64_t Index __attribute__((vector_size(64)));
    typedef std::uint8_t Bytes __attribute__((vector_size(8)));
};

// By reference, not by value: a 64-byte return value has another calling convention per instruction set.
template <class V, class T>
MORPHOBENCH_INLINE void load(V& into, const T* from) {
    std::memcpy(&into, from, sizeof(V));
}

template <class V, class T>
MORPHOBENCH_INLINE void store(T* to, const V& from) {
    std::memcpy(to, &from, sizeof(V));
}

} // namespace morphobench
