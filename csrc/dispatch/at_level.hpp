#pragma once

#include <utility>

#include "dispatch/dispatch.hpp"

namespace morphobench {

// A function written once, compiled for every level. It must be MORPHOBENCH_INLINE: each version takes it in
// and turns it into its own instructions. Vectors go by reference: as values they have another calling
// convention at each level.
template <auto function>
struct Versions;

template <class Result, class... Arguments, Result (*function)(Arguments...)>
struct Versions<function> {
    static Result scalar(Arguments... arguments) { return function(arguments...); }
#if MORPHOBENCH_X86
    MORPHOBENCH_AVX2 static Result avx2(Arguments... arguments) { return function(arguments...); }
    MORPHOBENCH_AVX512 static Result avx512(Arguments... arguments) { return function(arguments...); }
#endif
};

// Calls the version of the level in use.
template <auto function, class... Arguments>
auto at_level(Arguments&&... arguments) {
    using Of = Versions<function>;
    switch (simd_level()) {
#if MORPHOBENCH_X86
    case SimdLevel::avx512:
        return Of::avx512(std::forward<Arguments>(arguments)...);
    case SimdLevel::avx2:
        return Of::avx2(std::forward<Arguments>(arguments)...);
#endif
    default:
        return Of::scalar(std::forward<Arguments>(arguments)...);
    }
}

} // namespace morphobench
