#pragma once

// What the AVX2 kernels share.

#include "core/array_view.hpp"
#include "dispatch/targets.hpp"

#define AVX2_INLINE MORPHOBENCH_AVX2 MORPHOBENCH_INLINE

namespace morphobench::avx2 {

// See ViewKernels; in blur.cpp.
void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out);

} // namespace morphobench::avx2
