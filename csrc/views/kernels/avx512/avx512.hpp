#pragma once

// What the AVX-512 kernels share: byte permutations (VBMI), sums of four products (VNNI).

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/scratch.hpp"
#include "views/kernels/kernels.hpp"

#define AVX512_FEATURES MORPHOBENCH_AVX512_FEATURES ",avx512vbmi,avx512vnni"
#define AVX512 __attribute__((target(AVX512_FEATURES MORPHOBENCH_WHOLE_VECTORS)))
#define AVX512_INLINE __attribute__((target(AVX512_FEATURES))) MORPHOBENCH_INLINE

namespace morphobench::avx512 {

// Kernels that have files of their own, see ViewKernels. try_enlarge_to_unit and try_shrink_to_unit are
// try_resize_to_unit for tables of two taps and for tables of more; false for others.
void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out);
bool try_vertical_to_unit(const PlaneView<const std::uint8_t>& in, const AxisTable& table, float* out);
void to_unit(const PlaneView<const std::uint8_t>& in, float* out);
void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out);
bool try_enlarge_to_unit(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                         const AxisTable& vertical, Scratch<std::uint8_t>& scratch, float* out);
bool try_shrink_to_unit(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                        const AxisTable& vertical, Scratch<std::uint8_t>& scratch, float* out);

AVX512_INLINE __m512i load(const void* p) { return _mm512_loadu_si512(p); }
AVX512_INLINE void store(void* p, __m512i v) { _mm512_storeu_si512(p, v); }

// Asks for pixels that will be read soon: images come from far, and the hardware does not look past a page.
AVX512_INLINE void ask_for(const std::uint8_t* p) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
}

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

// The two taps of 64 outputs along a row, from output x on, kept in registers. `narrow`: rows of fewer than
// 64 pixels, loaded whole.
template <bool whole, bool narrow>
struct RowTaps {
    __mmask64 row;
    std::int32_t bases[2];
    __m512i shuffles[2], shares[2], rests[2];

    AVX512_INLINE RowTaps(const TwoTaps& taps, std::int32_t x, std::int32_t width) : row{first_of(width)} {
        for (std::size_t i = 0; i < 2; ++i) {
            const auto at = static_cast<std::size_t>(x) + 32 * i;
            bases[i] = taps.wide_bases[at / 32];
            shuffles[i] = load(taps.wide_shuffles.data() + 2 * at);
            shares[i] = load(taps.shares.data() + 2 * at);
            rests[i] = load(taps.rests.data() + at);
        }
    }
    // 32 outputs as 16-bit numbers: the first or the second half of the 64.
    AVX512_INLINE __m512i half(const std::uint8_t* pixels, int i) const {
        const __m512i loaded = narrow ? _mm512_maskz_loadu_epi8(row, pixels) : load(pixels + bases[i]);
        return two_taps<whole>(_mm512_permutexvar_epi8(shuffles[i], loaded), shares[i], rests[i]);
    }
};

// Sums of many taps for 16 outputs: the digits of HorizontalQuads and VerticalQuads.
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

// Pixels in bits 22 to 29.
AVX512_INLINE __m512i total(const QuadSums& sums) {
    const __m512i upper = _mm512_add_epi32(_mm512_slli_epi32(sums.high, 8), sums.middle);
    return _mm512_add_epi32(_mm512_slli_epi32(upper, 8), sums.low);
}

// 16 bytes, `step` apart, each four times over: the first or a later such group.
template <int step>
AVX512_INLINE __m512i spread(__m512i bytes, int sixteen) {
    constexpr int one = 0x01010101 * step;
    const __m512i first =
        _mm512_set_epi32(15 * one, 14 * one, 13 * one, 12 * one, 11 * one, 10 * one, 9 * one, 8 * one,
                         7 * one, 6 * one, 5 * one, 4 * one, 3 * one, 2 * one, one, 0);
    return _mm512_permutexvar_epi8(
        _mm512_or_si512(first, _mm512_set1_epi8(static_cast<char>(16 * step * sixteen))), bytes);
}

// x / 255 = x 2^-8 + x 2^-16 + x 2^-24 + ...: its first 32 bits are the byte four times over, as `bits` holds
// it. Of these a float keeps 24 from the first that is set, and leaves off the bits of x itself, the first of
// them set, and more: always over half a unit, so that rounding up is rounding to nearest.
AVX512_INLINE __m512 to_units(__m512i bits) {
    return _mm512_mul_ps(_mm512_cvt_roundepu32_ps(bits, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC),
                         _mm512_set1_ps(0x1p-32f));
}

} // namespace morphobench::avx512
