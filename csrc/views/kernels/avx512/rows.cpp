// Kernels for AVX-512 with byte permutations (VBMI) and sums of four products (VNNI); every result equals
// that of scalar.cpp, see fixed_point_taps.hpp for why. This file: the pass along rows.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstddef>

#include "views/kernels/avx512/avx512.hpp"

namespace morphobench {

namespace {

using namespace avx512;

constexpr std::int32_t rows_ahead = 16; // how far before they are read rows are asked for

// `narrow`: rows of fewer than 64 pixels, loaded once and whole.
template <bool whole, bool narrow>
AVX512 void horizontal_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps,
                           PlaneView<std::uint8_t> out) {
    const __m512i in_order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0); // after packing lane by lane
    for (std::int32_t x = 0; x < out.width; x += 64) {
        const RowTaps<whole, narrow> along(taps, x, in.width);
        for (std::int32_t y = 0; y < in.height; ++y) {
            if (!narrow && y + rows_ahead < in.height)
                ask_for(in.row(y + rows_ahead) + std::min(x, in.width));
            const __m512i first = along.half(in.row(y), 0), second = along.half(in.row(y), 1);
            store(out.row(y) + x, _mm512_permutexvar_epi64(in_order, _mm512_packus_epi16(first, second)));
        }
    }
}

template <bool inside>
AVX512_INLINE __m512i load_of_row(const std::uint8_t* row, std::int32_t place, std::int32_t width) {
    if constexpr (inside) return load(row + place);
    return _mm512_maskz_loadu_epi8(first_of(width - place), row + place);
}

// 16 outputs of a row.
AVX512_INLINE void put(std::uint8_t* target, const QuadSums& sums) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target),
                     _mm512_cvtusepi32_epi8(_mm512_srli_epi32(total(sums), weight_bits)));
}

// Rows at a time: few enough that the nearest cache holds them until all groups of outputs are through.
constexpr std::int32_t band_rows = 32;

// As many quads as fit in registers with their tables, all of whose pixels lie in one chunk.
template <int quads, bool inside>
AVX512 void horizontal_quads(PlaneView<const std::uint8_t> in, const HorizontalQuads& taps,
                             PlaneView<std::uint8_t> out) {
    for (std::int32_t top = 0; top < in.height; top += band_rows) {
        const std::int32_t end = std::min(top + band_rows, in.height);
        std::size_t at = 0;
        for (std::int32_t left = 0; left < out.width; left += 16, at += quads) {
            __m512i shuffle[quads], high[quads], middle[quads], low[quads];
            for (std::size_t quad = 0; quad < quads; ++quad) {
                shuffle[quad] = load(taps.shuffles.data() + 64 * (at + quad));
                const std::int8_t* digits = taps.digits.data() + 192 * (at + quad);
                high[quad] = load(digits), middle[quad] = load(digits + 64), low[quad] = load(digits + 128);
            }
            const std::int32_t* bases = taps.bases.data() + at;
            for (std::int32_t y = top; y < end; ++y) {
                // One line of the cache for each group of outputs.
                if (4 * left < in.width && y + band_rows < in.height)
                    ask_for(in.row(y + band_rows) + 4 * left);
                QuadSums sums = no_sums();
                for (std::size_t quad = 0; quad < quads; ++quad)
                    add(sums,
                        _mm512_permutexvar_epi8(shuffle[quad],
                                                load_of_row<inside>(in.row(y), bases[quad], in.width)),
                        high[quad], middle[quad], low[quad]);
                put(out.row(y) + left, sums);
            }
        }
    }
}

// Any number of quads and chunks: rows at a time, which share what is loaded of the tables.
constexpr std::int32_t strip_rows = 4;

template <bool inside>
AVX512 void horizontal_many(PlaneView<const std::uint8_t> in, const HorizontalQuads& taps,
                            PlaneView<std::uint8_t> out) {
    for (std::int32_t top = 0; top < in.height; top += strip_rows) {
        const std::uint8_t* rows[strip_rows];
        for (std::int32_t i = 0; i < strip_rows; ++i)
            rows[i] = in.row(std::min(top + i, in.height - 1));
        std::size_t at = 0;
        for (std::int32_t left = 0; left < out.width; left += 16) {
            QuadSums sums[strip_rows];
            for (QuadSums& sum : sums)
                sum = no_sums();
            for (std::int32_t quad = 0; quad < taps.quads; ++quad, ++at) {
                const std::int32_t base = taps.bases[at];
                const std::int8_t* digits = taps.digits.data() + 192 * at;
                const __m512i shuffle = load(taps.shuffles.data() + 64 * at);
                const __m512i high = load(digits), middle = load(digits + 64), low = load(digits + 128);
                const std::uint64_t* masks = taps.masks.data() + at * static_cast<std::size_t>(taps.chunks);
#pragma GCC unroll 4 // the sums stay in registers
                for (std::int32_t i = 0; i < strip_rows; ++i) {
                    __m512i pixels =
                        _mm512_permutexvar_epi8(shuffle, load_of_row<inside>(rows[i], base, in.width));
                    for (std::int32_t chunk = 1; chunk < taps.chunks; ++chunk)
                        pixels = _mm512_mask_permutexvar_epi8(
                            pixels, masks[chunk], shuffle,
                            load_of_row<inside>(rows[i], base + 64 * chunk, in.width));
                    add(sums[i], pixels, high, middle, low);
                }
            }
            for (std::int32_t i = 0; i < strip_rows && top + i < in.height; ++i)
                put(out.row(top + i) + left, sums[i]);
        }
    }
}

template <bool inside>
void horizontal_of_quads(PlaneView<const std::uint8_t> in, const HorizontalQuads& taps,
                         PlaneView<std::uint8_t> out) {
    if (taps.chunks == 1 && taps.quads == 1)
        horizontal_quads<1, inside>(in, taps, out);
    else if (taps.chunks == 1 && taps.quads == 2)
        horizontal_quads<2, inside>(in, taps, out);
    else if (taps.chunks == 1 && taps.quads == 3)
        horizontal_quads<3, inside>(in, taps, out);
    else
        horizontal_many<inside>(in, taps, out);
}

template <bool whole>
void horizontal_of_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    if (in.width < 64)
        horizontal_two<whole, true>(in, taps, out);
    else
        horizontal_two<whole, false>(in, taps, out);
}

void horizontal(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                const PlaneView<std::uint8_t>& out) {
    if (table.two.usable && table.two.exact_shares)
        horizontal_of_two<true>(in, table.two, out);
    else if (table.two.usable)
        horizontal_of_two<false>(in, table.two, out);
    else if (table.horizontal_quads.inside)
        horizontal_of_quads<true>(in, table.horizontal_quads, out);
    else
        horizontal_of_quads<false>(in, table.horizontal_quads, out);
}

bool try_resize_to_unit(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                        const AxisTable& vertical, Scratch<std::uint8_t>& scratch, float* out) {
    return try_enlarge_to_unit(window, horizontal, vertical, scratch, out) ||
           try_shrink_to_unit(window, horizontal, vertical, scratch, out);
}

} // namespace

const ViewKernels avx512_kernels{.level = "avx512",
                                 .horizontal = horizontal,
                                 .vertical = vertical,
                                 .to_unit = to_unit,
                                 .blur = blur,
                                 .try_vertical_to_unit = try_vertical_to_unit,
                                 .try_resize_to_unit = try_resize_to_unit};

} // namespace morphobench

#endif
