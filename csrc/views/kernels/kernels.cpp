#include "views/kernels/kernels.hpp"

#include "dispatch/dispatch.hpp"

namespace morphobench {

const ViewKernels& view_kernels() {
    switch (simd_level()) {
#if MORPHOBENCH_X86
    case SimdLevel::avx512:
        return has_avx512_bytes() ? avx512_kernels : avx2_kernels;
    case SimdLevel::avx2:
        return avx2_kernels;
#endif
#if MORPHOBENCH_NEON
    case SimdLevel::neon:
        return neon_kernels;
#endif
    default:
        return scalar_kernels;
    }
}

} // namespace morphobench
