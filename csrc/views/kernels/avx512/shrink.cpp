// Kernels for AVX-512: both passes of a shrinking and / 255 at once. The pass along rows leaves four rows'
// bytes of a column side by side, as the sums of the pass along columns take them.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstddef>

#include "views/kernels/avx512/avx512.hpp"

namespace morphobench::avx512 {

namespace {

constexpr std::int32_t most_quads = 4; // along either axis, so that their tables stay in registers

// Quads of rows at a time: few enough that the nearest cache holds them until all columns are through.
constexpr std::int32_t band_quads = 8;

// The bits of a total that are the pixel, to every byte of its 32 bits.
AVX512_INLINE __m512i pixel_bits() { return _mm512_set1_epi64(0x3636363616161616); }

// The sums of 16 outputs, with the pixel in bits 22 to 29: digit after digit into one sum, high to low.
template <int quads>
AVX512_INLINE __m512i weighted(const __m512i (&pixels)[quads], const __m512i (&digits)[3 * quads]) {
    __m512i sum = _mm512_set1_epi32(weight_half >> 16);
    for (int digit = 0; digit < 3; ++digit) {
        if (digit) sum = _mm512_slli_epi32(sum, 8);
        for (int quad = 0; quad < quads; ++quad)
            sum = _mm512_dpbusd_epi32(sum, pixels[quad], digits[3 * quad + digit]);
    }
    return sum;
}

// Four rows by 16 columns, a column's four bytes side by side.
template <int quads, bool inside>
AVX512_INLINE __m512i shrink_block(const std::uint8_t* const (&rows)[4], std::int32_t width,
                                   const std::int32_t* bases, const __m512i (&shuffles)[quads],
                                   const __m512i (&digits)[3 * quads]) {
    __m512i block = _mm512_setzero_si512();
    for (int row = 0; row < 4; ++row) {
        __m512i pixels[quads];
        for (int quad = 0; quad < quads; ++quad) {
            const std::uint8_t* from = rows[row] + bases[quad];
            pixels[quad] = _mm512_permutexvar_epi8(
                shuffles[quad],
                inside ? load(from) : _mm512_maskz_loadu_epi8(first_of(width - bases[quad]), from));
        }
        block = _mm512_mask_multishift_epi64_epi8(block, 0x1111111111111111u << row, pixel_bits(),
                                                  weighted<quads>(pixels, digits));
    }
    return block;
}

template <int quads, bool inside>
AVX512 void shrink_rows(PlaneView<const std::uint8_t> window, const HorizontalQuads& taps,
                        std::int32_t columns, std::uint8_t* between) {
    const std::int32_t groups = (columns + 15) / 16, row_quads = (window.height + 3) / 4;
    for (std::int32_t top = 0; top < row_quads; top += band_quads) {
        const std::int32_t end = std::min(top + band_quads, row_quads);
        for (std::int32_t group = 0; group < groups; ++group) {
            const auto at = static_cast<std::size_t>(group) * quads;
            __m512i shuffles[quads], digits[3 * quads];
            for (std::size_t quad = 0; quad < quads; ++quad) {
                shuffles[quad] = load(taps.shuffles.data() + 64 * (at + quad));
                for (std::size_t i = 0; i < 3; ++i)
                    digits[3 * quad + i] = load(taps.digits.data() + 192 * (at + quad) + 64 * i);
            }
            const bool asks = 64 * group < window.width;
            const std::ptrdiff_t ahead = 4 * band_quads * window.stride + 64 * group;
            for (std::int32_t y = top; y < end; ++y) {
                const std::uint8_t* rows[4];
                for (std::int32_t i = 0; i < 4; ++i)
                    rows[i] = window.row(std::min(4 * y + i, window.height - 1));
                // Rows of the next band: each group of columns asks for one line of theirs.
                if (asks && 4 * (y + band_quads) + 3 < window.height)
                    for (const std::uint8_t* row : rows)
                        ask_for(row + ahead);
                store(between + (std::ptrdiff_t{y} * groups + group) * 64,
                      shrink_block<quads, inside>(rows, window.width, taps.bases.data() + at, shuffles,
                                                  digits));
            }
        }
    }
}

template <int quads>
AVX512 void write_columns(const std::uint8_t* between, const VerticalQuads& taps, std::int32_t height,
                          std::int32_t width, std::int32_t row_quads, float* out) {
    const std::int32_t groups = (width + 15) / 16;
    for (std::int32_t o = 0; o < height; ++o, out += width) {
        const std::int32_t first = taps.first[static_cast<std::size_t>(o)] / 4;
        const std::int8_t* from = taps.digits.data() + std::ptrdiff_t{12} * quads * o;
        __m512i digits[3 * quads];
        for (int i = 0; i < 3 * quads; ++i) {
            std::int32_t four;
            std::memcpy(&four, from + 4 * i, sizeof four);
            digits[i] = _mm512_set1_epi32(four);
        }
        const std::uint8_t* blocks[quads];
        for (std::int32_t quad = 0; quad < quads; ++quad) // one without weights may lie past the last
            blocks[quad] = between + std::ptrdiff_t{64} * groups * std::min(first + quad, row_quads - 1);
        for (std::int32_t group = 0; group < groups; ++group) {
            __m512i pixels[quads];
            for (int quad = 0; quad < quads; ++quad)
                pixels[quad] = load(blocks[quad] + 64 * group);
            const __m512 units =
                to_units(_mm512_multishift_epi64_epi8(pixel_bits(), weighted<quads>(pixels, digits)));
            const std::int32_t left = width - 16 * group;
            if (left >= 16)
                _mm512_storeu_ps(out + 16 * group, units);
            else
                _mm512_mask_storeu_ps(out + 16 * group, static_cast<__mmask16>(first_of(left)), units);
        }
    }
}

using ShrinkRows = void (*)(PlaneView<const std::uint8_t>, const HorizontalQuads&, std::int32_t,
                            std::uint8_t*);
using WriteColumns = void (*)(const std::uint8_t*, const VerticalQuads&, std::int32_t, std::int32_t,
                              std::int32_t, float*);

// By the number of quads, from one on.
constexpr ShrinkRows shrink_inside[] = {shrink_rows<1, true>, shrink_rows<2, true>, shrink_rows<3, true>,
                                        shrink_rows<4, true>};
constexpr ShrinkRows shrink_masked[] = {shrink_rows<1, false>, shrink_rows<2, false>, shrink_rows<3, false>,
                                        shrink_rows<4, false>};
constexpr WriteColumns write[] = {write_columns<1>, write_columns<2>, write_columns<3>, write_columns<4>};

} // namespace

bool try_shrink_to_unit(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                        const AxisTable& vertical, Scratch<std::uint8_t>& scratch, float* out) {
    const HorizontalQuads& along = horizontal.horizontal_quads;
    const VerticalQuads& across = vertical.aligned_vertical_quads;
    if (horizontal.two.usable || vertical.two.usable || along.chunks > 1 || along.quads > most_quads ||
        across.quads > most_quads)
        return false;
    const std::int32_t groups = (horizontal.out + 15) / 16, row_quads = (window.height + 3) / 4;
    std::uint8_t* const between =
        scratch.room(64 * static_cast<std::size_t>(groups) * static_cast<std::size_t>(row_quads));
    (along.inside ? shrink_inside : shrink_masked)[along.quads - 1](window, along, horizontal.out, between);
    write[across.quads - 1](between, across, vertical.out, horizontal.out, row_quads, out);
    return true;
}

} // namespace morphobench::avx512

#endif
