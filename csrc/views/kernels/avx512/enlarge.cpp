// Kernels for AVX-512: both passes of an enlargement to at most 64 columns, and / 255, at once. What lies
// between the passes are 16-bit numbers, which saves packing bytes and taking them apart again. For wider
// views these would not fit in the nearest cache, and bytes are faster.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstddef>

#include "views/kernels/avx512/avx512.hpp"

namespace morphobench::avx512 {

namespace {

// A weighted mean of two rows: the formula of TwoTaps, less 128 b on both sides.
template <bool whole>
struct ColumnTaps {
    __m512i share, rest;

    AVX512_INLINE explicit ColumnTaps(const TwoTaps::Line& line)
        : share{_mm512_set1_epi32(line.share)}, rest{_mm512_set1_epi32(line.rest)} {
        if constexpr (whole) share = _mm512_slli_epi16(share, 8);
    }
    AVX512_INLINE __m512i between(__m512i a, __m512i b) const {
        const __m512i difference = _mm512_sub_epi16(a, b);
        if constexpr (whole) return _mm512_add_epi16(b, _mm512_mulhrs_epi16(difference, share));
        const __m512i twice = _mm512_add_epi16(difference, difference);
        const __m512i sum =
            _mm512_add_epi16(_mm512_mullo_epi16(difference, share), _mm512_mulhi_epi16(twice, rest));
        return _mm512_add_epi16(b, _mm512_mulhrs_epi16(sum, _mm512_set1_epi16(1 << 8)));
    }
};

// 32 columns for each half; the last vector may be cut off.
template <bool whole, int halves>
AVX512 void write_columns(const std::uint8_t* between, const TwoTaps& taps, std::int32_t width, float* out) {
    const bool full = width == 32 * halves;
    const __mmask64 mask = first_of(width);
    for (const TwoTaps::Line& line : taps.lines) {
        const ColumnTaps<whole> column(line);
        const std::uint8_t* a = between + std::ptrdiff_t{128} * line.first;
        const std::uint8_t* b = between + std::ptrdiff_t{128} * line.second;
        for (int half = 0; half < halves; ++half) {
            const __m512i pixels = column.between(load(a + 64 * half), load(b + 64 * half));
            for (int i = 0; i < 2; ++i) {
                const int vector = 2 * half + i;
                const __m512 units = to_units(spread<2>(pixels, i));
                if (full)
                    _mm512_storeu_ps(out + 16 * vector, units);
                else
                    _mm512_mask_storeu_ps(out + 16 * vector, static_cast<__mmask16>(mask >> 16 * vector),
                                          units);
            }
        }
        out += width;
    }
}

// All rows of the window, 128 bytes a row.
template <bool whole, bool narrow>
AVX512 void stretch_rows(PlaneView<const std::uint8_t> window, const TwoTaps& taps, std::uint8_t* between) {
    const RowTaps<whole, narrow> along(taps, 0, window.width);
    for (std::int32_t y = 0; y < window.height; ++y, between += 128) {
        store(between, along.half(window.row(y), 0));
        store(between + 64, along.half(window.row(y), 1));
    }
}

} // namespace

bool try_enlarge_to_unit(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                         const AxisTable& vertical, Scratch<std::uint8_t>& scratch, float* out) {
    const TwoTaps &along = horizontal.two, &across = vertical.two;
    if (!along.usable || !across.usable || horizontal.out > 64) return false;
    std::uint8_t* const between = scratch.room(128 * static_cast<std::size_t>(window.height));
    const bool narrow = window.width < 64;
    const auto stretch = along.exact_shares
                             ? (narrow ? stretch_rows<true, true> : stretch_rows<true, false>)
                             : (narrow ? stretch_rows<false, true> : stretch_rows<false, false>);
    stretch(window, along, between);
    const bool half = horizontal.out <= 32;
    const auto write = across.exact_shares ? (half ? write_columns<true, 1> : write_columns<true, 2>)
                                           : (half ? write_columns<false, 1> : write_columns<false, 2>);
    write(between, across, horizontal.out, out);
    return true;
}

} // namespace morphobench::avx512

#endif
