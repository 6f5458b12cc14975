#pragma once

// What the AVX2 kernels share.

#include <immintrin.h>

#include "core/array_view.hpp"

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE __attribute__((target("avx2,fma"), always_inline)) inline

namespace morphobench::avx2 {

// See Kernels; in blur.cpp.
void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out);

} // namespace morphobench::avx2
