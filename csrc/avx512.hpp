#pragma once

// What the AVX-512 kernels share: byte permutations (VBMI), sums of four products (VNNI).

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header takes its undefined vectors, which no instruction reads, for uninitialized ones.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd.hpp"

#define AVX512_FEATURES "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni"
#if defined(__clang__)
#define AVX512 __attribute__((target(AVX512_FEATURES)))
#else
#define AVX512 __attribute__((target(AVX512_FEATURES ",prefer-vector-width=512")))
#endif
#define AVX512_INLINE __attribute__((target(AVX512_FEATURES), always_inline)) inline

namespace morphobench::avx512 {

// The kernels of kernels_avx512_vertical.cpp, see Kernels.
void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out);
void units(const PlaneView<const std::uint8_t>& in, const AxisTable* table, float* out);
void blurred_units(const PlaneView<const std::uint8_t>& in, const AxisTable* table, float edge, float center,
                   float* out);
void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out);

AVX512_INLINE __m512i load(const void* p) { return _mm512_loadu_si512(p); }
AVX512_INLINE void store(void* p, __m512i v) { _mm512_storeu_si512(p, v); }

// A mask of the first `count` of 64; all of them past 64, none below 1.
AVX512_INLINE __mmask64 first_of(std::int32_t count) {
    return count >= 64 ? ~__mmask64{0} : (count > 0 ? (__mmask64{1} << count) - 1 : 0);
}

// 32 outputs from 32 pairs of pixels, as 16-bit numbers: the formula of TwoTaps; `whole`: every rest is 0.
template <bool whole>
AVX512_INLINE __m512i two_taps(__m512i pixels, __m512i shares, __m512i rests) {
    __m512i sum = _mm512_maddubs_epi16(pixels, shares);
    if constexpr (!whole) {
        constexpr std::int16_t twice_the_difference = 2 - 2 * 256; // the bytes 2 and -2
        const __m512i difference = _mm512_maddubs_epi16(pixels, _mm512_set1_epi16(twice_the_difference));
        sum = _mm512_add_epi16(sum, _mm512_mulhi_epi16(difference, rests));
    }
    return _mm512_mulhrs_epi16(sum, _mm512_set1_epi16(1 << 8)); // (sum 2^8 + 2^14) >> 15
}

// Sums of many taps for 16 outputs: the digits of ColumnQuads and RowQuads.
struct QuadSums {
    __m512i high, middle, low;
};

AVX512_INLINE QuadSums no_sums() {
    return {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_set1_epi32(weight_half)};
}

AVX512_INLINE void add(QuadSums& sums, __m512i pixels, __m512i high, __m512i middle, __m512i low) {
    sums.high = _mm512_dpbusd_epi32(sums.high, pixels, high);
    sums.middle = _mm512_dpbusd_epi32(sums.middle, pixels, middle);
    sums.low = _mm512_dpbusd_epi32(sums.low, pixels, low);
}

AVX512_INLINE __m512i total(const QuadSums& sums) {
    const __m512i upper = _mm512_add_epi32(_mm512_slli_epi32(sums.high, 8), sums.middle);
    return _mm512_srli_epi32(_mm512_add_epi32(_mm512_slli_epi32(upper, 8), sums.low), weight_bits);
}

} // namespace morphobench::avx512
