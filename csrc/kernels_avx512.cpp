// Kernels for AVX-512 with byte permutations (VBMI) and sums of four products (VNNI); every result equals
// that of kernels_scalar.cpp, see simd_taps.hpp for why.

#include "simd.hpp"

#if MORPHOBENCH_X86

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header takes its undefined vectors, which no instruction reads, for uninitialized ones.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "blur_rows.hpp"

namespace morphobench {

bool avx512_runs() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

namespace {

#define FEATURES "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni"
#if defined(__clang__)
#define AVX512 __attribute__((target(FEATURES)))
#else
#define AVX512 __attribute__((target(FEATURES ",prefer-vector-width=512")))
#endif
#define AVX512_INLINE __attribute__((target(FEATURES), always_inline)) inline

AVX512_INLINE __m512i load(const void* p) { return _mm512_loadu_si512(p); }
AVX512_INLINE void store(void* p, __m512i v) { _mm512_storeu_si512(p, v); }

// A mask of the first `count` of 64; all of them past 64, none below 1.
AVX512_INLINE __mmask64 first_of(std::int32_t count) {
    return count >= 64 ? ~__mmask64{0} : (count > 0 ? (__mmask64{1} << count) - 1 : 0);
}

// 32 outputs from 32 pairs of pixels: the formula of TwoTaps, its zero digits left out.
template <int digits>
AVX512_INLINE __m512i two_taps(__m512i pixels, __m512i high, __m512i middle, __m512i low) {
    const __m512i sum = _mm512_maddubs_epi16(pixels, high);
    if constexpr (digits == 1) {
        // (sum 2^8 + 2^14) >> 15
        return _mm512_mulhrs_epi16(sum, _mm512_set1_epi16(1 << 8));
    } else {
        __m512i rest = _mm512_maddubs_epi16(pixels, middle);
        if constexpr (digits == 3)
            rest = _mm512_add_epi16(rest, _mm512_srai_epi16(_mm512_maddubs_epi16(pixels, low), 8));
        rest = _mm512_add_epi16(_mm512_srai_epi16(rest, 7), _mm512_set1_epi16(64));
        return _mm512_srai_epi16(_mm512_add_epi16(sum, rest), 7);
    }
}

// The even and the odd 16-byte groups of a table's 128 bytes, so that packing leaves outputs in order.
struct Groups {
    __m512i even, odd;
};

AVX512_INLINE Groups groups(const void* table) {
    const __m512i a = load(table), b = load(static_cast<const char*>(table) + 64);
    return {_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd)};
}

// `narrow`: rows of fewer than 64 pixels, loaded once and whole.
template <int digits, bool narrow>
AVX512 void horizontal_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps,
                           PlaneView<std::uint8_t> out) {
    const __mmask64 row = first_of(in.width);
    // A block of 64 outputs at a time for all rows, so that its tables stay in registers.
    for (std::int32_t x = 0; x < out.width; x += 64) {
        const auto at = 2 * static_cast<std::size_t>(x);
        const Groups shuffle = groups(taps.wide_shuffles.data() + at), high = groups(taps.high.data() + at),
                     middle = groups(taps.middle.data() + at), low = groups(taps.low.data() + at);
        const std::int32_t* bases = taps.wide_bases.data() + at / 64;
        for (std::int32_t y = 0; y < in.height; ++y) {
            __m512i even, odd;
            if constexpr (narrow) {
                even = odd = _mm512_maskz_loadu_epi8(row, in.row(y));
            } else {
                even = load(in.row(y) + bases[0]);
                odd = load(in.row(y) + bases[1]);
            }
            even = _mm512_permutexvar_epi8(shuffle.even, even);
            odd = _mm512_permutexvar_epi8(shuffle.odd, odd);
            store(out.row(y) + x,
                  _mm512_packus_epi16(two_taps<digits>(even, high.even, middle.even, low.even),
                                      two_taps<digits>(odd, high.odd, middle.odd, low.odd)));
        }
    }
}

// The pair of digits of output o in every 16-bit element.
AVX512_INLINE __m512i broadcast_pair(const std::int8_t* digits) {
    std::int16_t pair;
    std::memcpy(&pair, digits, sizeof pair);
    return _mm512_set1_epi16(pair);
}

template <int digits>
AVX512 void vertical_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const __m512i high = broadcast_pair(taps.high.data() + 2 * at);
        const __m512i middle = broadcast_pair(taps.middle.data() + 2 * at);
        const __m512i low = broadcast_pair(taps.low.data() + 2 * at);
        const std::uint8_t* above = in.row(taps.first[at]);
        const std::uint8_t* below = in.row(taps.second[at]);
        std::uint8_t* target = out.row(o);
        for (std::int32_t x = 0; x < in.width; x += 64) {
            const __m512i a = load(above + x), b = load(below + x);
            store(target + x,
                  _mm512_packus_epi16(two_taps<digits>(_mm512_unpacklo_epi8(a, b), high, middle, low),
                                      two_taps<digits>(_mm512_unpackhi_epi8(a, b), high, middle, low)));
        }
    }
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

AVX512_INLINE __m512i finish(const QuadSums& sums) {
    const __m512i upper = _mm512_add_epi32(_mm512_slli_epi32(sums.high, 8), sums.middle);
    return _mm512_srli_epi32(_mm512_add_epi32(_mm512_slli_epi32(upper, 8), sums.low), weight_bits);
}

// Rows at a time, which share what is loaded of the tables.
constexpr std::int32_t strip_rows = 4;

template <bool inside>
AVX512_INLINE __m512i load_of_row(const std::uint8_t* row, std::int32_t place, std::int32_t width) {
    if constexpr (inside) return load(row + place);
    return _mm512_maskz_loadu_epi8(first_of(width - place), row + place);
}

template <bool inside>
AVX512 void horizontal_many(PlaneView<const std::uint8_t> in, const ColumnQuads& taps,
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
                _mm_storeu_si128(reinterpret_cast<__m128i*>(out.row(top + i) + left),
                                 _mm512_cvtusepi32_epi8(finish(sums[i])));
        }
    }
}

AVX512_INLINE __m512i broadcast_quad(const std::int8_t* digits) {
    std::int32_t quad;
    std::memcpy(&quad, digits, sizeof quad);
    return _mm512_set1_epi32(quad);
}

AVX512 void vertical_many(PlaneView<const std::uint8_t> in, const RowQuads& taps, const AxisTable& table,
                          PlaneView<std::uint8_t> out) {
    const std::int8_t* digits_of = taps.digits.data();
    for (std::int32_t o = 0; o < out.height; ++o, digits_of += 12 * taps.quads) {
        std::uint8_t* target = out.row(o);
        for (std::int32_t x = 0; x < in.width; x += 64) {
            QuadSums sums[4];
            for (QuadSums& sum : sums)
                sum = no_sums();
            for (std::int32_t quad = 0; quad < taps.quads; ++quad) {
                // A padding tap, of weight 0, may lie past the last row.
                const std::int32_t y = table.first[static_cast<std::size_t>(o)] + 4 * quad;
                __m512i row[4];
                for (std::int32_t i = 0; i < 4; ++i)
                    row[i] = load(in.row(std::min(y + i, in.height - 1)) + x);
                const __m512i ab_low = _mm512_unpacklo_epi8(row[0], row[1]),
                              ab_high = _mm512_unpackhi_epi8(row[0], row[1]),
                              cd_low = _mm512_unpacklo_epi8(row[2], row[3]),
                              cd_high = _mm512_unpackhi_epi8(row[2], row[3]);
                const std::int8_t* digits = digits_of + 12 * quad;
                const __m512i high = broadcast_quad(digits), middle = broadcast_quad(digits + 4),
                              low = broadcast_quad(digits + 8);
                add(sums[0], _mm512_unpacklo_epi16(ab_low, cd_low), high, middle, low);
                add(sums[1], _mm512_unpackhi_epi16(ab_low, cd_low), high, middle, low);
                add(sums[2], _mm512_unpacklo_epi16(ab_high, cd_high), high, middle, low);
                add(sums[3], _mm512_unpackhi_epi16(ab_high, cd_high), high, middle, low);
            }
            store(target + x, _mm512_packus_epi16(_mm512_packus_epi32(finish(sums[0]), finish(sums[1])),
                                                  _mm512_packus_epi32(finish(sums[2]), finish(sums[3]))));
        }
    }
}

template <int digits>
void horizontal_digits(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    if (in.width < 64)
        horizontal_two<digits, true>(in, taps, out);
    else
        horizontal_two<digits, false>(in, taps, out);
}

void horizontal(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                const PlaneView<std::uint8_t>& out) {
    if (table.two.digits == 1)
        horizontal_digits<1>(in, table.two, out);
    else if (table.two.digits == 2)
        horizontal_digits<2>(in, table.two, out);
    else if (table.two.digits == 3)
        horizontal_digits<3>(in, table.two, out);
    else if (table.column_quads.inside)
        horizontal_many<true>(in, table.column_quads, out);
    else
        horizontal_many<false>(in, table.column_quads, out);
}

void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out) {
    if (table.two.digits == 1)
        vertical_two<1>(in, table.two, out);
    else if (table.two.digits == 2)
        vertical_two<2>(in, table.two, out);
    else if (table.two.digits == 3)
        vertical_two<3>(in, table.two, out);
    else
        vertical_many(in, table.row_quads, table, out);
}

AVX512_INLINE __mmask16 first_of_16(std::ptrdiff_t count) {
    return static_cast<__mmask16>(first_of(static_cast<std::int32_t>(count)));
}

// x / 255 = x 2^-8 + x 2^-16 + x 2^-24 + ...: its first 32 bits are the byte four times over. Of these a
// float keeps 24 from the first that is set, and leaves off the bits of x itself, the first of them set, and
// more: always over half a unit, so that rounding up is rounding to nearest.
AVX512_INLINE __m512 units(__m128i bytes) {
    const __m512i spread = _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b,
                                            0x0a0a0a0a, 0x09090909, 0x08080808, 0x07070707, 0x06060606,
                                            0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    const __m512i bits = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), spread);
    return _mm512_mul_ps(_mm512_cvt_roundepu32_ps(bits, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC),
                         _mm512_set1_ps(0x1p-32f));
}

AVX512 void to_unit(const PlaneView<const std::uint8_t>& in, float* out) {
    const bool whole = in.stride == in.width;
    const std::ptrdiff_t count = whole ? std::ptrdiff_t{in.height} * in.width : in.width;
    for (std::int32_t y = 0; y < (whole ? 1 : in.height); ++y, out += count) {
        const std::uint8_t* source = in.row(y);
        // A few at first, up to a line of the cache: a store across two costs twice as much.
        const auto start = (64 - reinterpret_cast<std::uintptr_t>(out) % 64) % 64 / sizeof *out;
        for (std::ptrdiff_t x = 0, next = static_cast<std::ptrdiff_t>(start); x < count;
             x = next, next += 16) {
            const std::ptrdiff_t left = std::min(next, count) - x;
            if (left == 16) {
                const auto* sixteen = reinterpret_cast<const __m128i*>(source + x);
                _mm512_storeu_ps(out + x, units(_mm_loadu_si128(sixteen)));
            } else {
                const __mmask16 mask = first_of_16(left);
                _mm512_mask_storeu_ps(out + x, mask, units(_mm_maskz_loadu_epi8(mask, source + x)));
            }
        }
    }
}

// A part of a row, blurred along x: it stays in registers until the rows above and below are, too.
template <int vectors>
struct Blurred {
    __m512 part[vectors];
};

AVX512_INLINE __m512 three_taps(__m512 before, __m512 here, __m512 after, __m512 edge, __m512 center) {
    return _mm512_add_ps(_mm512_mul_ps(edge, _mm512_add_ps(before, after)), _mm512_mul_ps(center, here));
}

// Reflects the row at its ends.
template <int vectors>
AVX512_INLINE void blur_along(const float* row, std::int32_t left, std::int32_t width, __m512 edge,
                              __m512 center, Blurred<vectors>& out) {
    __m512i before =
        _mm512_castps_si512(left > 0 ? _mm512_loadu_ps(row + left - 16) : _mm512_set1_ps(row[1]));
    __m512i here = load(row + left);
    for (int i = 0; i < vectors; ++i) {
        const std::int32_t next = left + 16 * (i + 1);
        const __m512i after =
            next < width ? load(row + next) : _mm512_castps_si512(_mm512_set1_ps(row[width - 2]));
        out.part[i] =
            three_taps(_mm512_castsi512_ps(_mm512_alignr_epi32(here, before, 15)), _mm512_castsi512_ps(here),
                       _mm512_castsi512_ps(_mm512_alignr_epi32(after, here, 1)), edge, center);
        before = here;
        here = after;
    }
}

template <int vectors>
AVX512 void blur_strip(PlaneView<const float> in, std::int32_t left, float edge_weight, float center_weight,
                       float* out) {
    const __m512 edge = _mm512_set1_ps(edge_weight), center = _mm512_set1_ps(center_weight);
    const std::int32_t last = in.height - 1;
    Blurred<vectors> above, here, below;
    blur_along(in.row(std::min(1, last)), left, in.width, edge, center, above);
    blur_along(in.row(0), left, in.width, edge, center, here);
    for (std::int32_t y = 0; y <= last; ++y) {
        blur_along(in.row(y < last ? y + 1 : std::max(0, y - 1)), left, in.width, edge, center, below);
        for (int i = 0; i < vectors; ++i)
            _mm512_storeu_ps(out + std::ptrdiff_t{y} * in.width + left + 16 * i,
                             three_taps(above.part[i], here.part[i], below.part[i], edge, center));
        above = here;
        here = below;
    }
}

AVX512 void blur_any(PlaneView<const float> in, float edge, float center, float* rows, float* out) {
    blur_plane(in, edge, center, rows, out);
}

void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out) {
    if (in.width % 16) return blur_any(in, edge, center, rows, out);
    std::int32_t left = 0;
    for (; left + 64 <= in.width; left += 64)
        blur_strip<4>(in, left, edge, center, out);
    for (; left < in.width; left += 16)
        blur_strip<1>(in, left, edge, center, out);
}

} // namespace

const Kernels avx512_kernels{"avx512", horizontal, vertical, to_unit, blur};

} // namespace morphobench

#endif
