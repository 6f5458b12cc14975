#pragma once

// Every macro that depends on the compiler or the processor.

#if defined(__x86_64__)
#define MORPHOBENCH_X86 1
#else
#define MORPHOBENCH_X86 0
#endif
#if defined(__aarch64__)
#define MORPHOBENCH_NEON 1
#else
#define MORPHOBENCH_NEON 0
#endif

#define MORPHOBENCH_INLINE __attribute__((always_inline)) inline

// Attributes that compile one function for a level, whatever the file is compiled for. An inline function
// that a file with -march=... emits could be the copy that the linker keeps for everyone; these cannot leak.
#if defined(__clang__)
#define MORPHOBENCH_WHOLE_VECTORS
#else
#define MORPHOBENCH_WHOLE_VECTORS ",prefer-vector-width=512"
#endif
#define MORPHOBENCH_AVX2_FEATURES "avx2,fma"
#define MORPHOBENCH_AVX512_FEATURES "avx512f,avx512bw,avx512vl,avx512dq,fma"
#define MORPHOBENCH_AVX2 __attribute__((target(MORPHOBENCH_AVX2_FEATURES)))
#define MORPHOBENCH_AVX512 __attribute__((target(MORPHOBENCH_AVX512_FEATURES MORPHOBENCH_WHOLE_VECTORS)))

#if MORPHOBENCH_X86
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's intrinsics start from undefined registers on purpose (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#endif
