// Kernels for AVX2 and FMA; every result equals that of scalar.cpp, see fixed_point_taps.hpp for why.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstring>
#include <vector>

#include "views/kernels/avx2/avx2.hpp"

namespace morphobench {

namespace {

AVX2_INLINE __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
AVX2_INLINE void store(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

// 16 outputs from 16 pairs of pixels, as 16-bit numbers: the formula of TwoTaps; `whole`: every rest is 0.
template <bool whole>
AVX2_INLINE __m256i two_taps(__m256i pixels, __m256i shares, __m256i rests) {
    __m256i sum = _mm256_maddubs_epi16(pixels, shares);
    if constexpr (!whole) {
        constexpr std::int16_t twice_the_difference = 2 - 2 * 256; // the bytes 2 and -2
        const __m256i difference = _mm256_maddubs_epi16(pixels, _mm256_set1_epi16(twice_the_difference));
        sum = _mm256_add_epi16(sum, _mm256_mulhi_epi16(difference, rests));
    }
    return _mm256_mulhrs_epi16(sum, _mm256_set1_epi16(1 << 8)); // (sum 2^8 + 2^14) >> 15
}

// Two 16-byte groups of a row, as the two lanes.
AVX2_INLINE __m256i load_lanes(const std::uint8_t* low, const std::uint8_t* high) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

// Eight outputs of 16 table bytes each, from groups `g` and `g + 2`, so that packing needs no permutation.
template <class T>
AVX2_INLINE __m256i table_lanes(const std::vector<T>& table, std::size_t g) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(table.data());
    return load_lanes(bytes + 16 * g, bytes + 16 * (g + 2));
}

template <bool whole>
MORPHOBENCH_AVX2 void horizontal_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps,
                                     PlaneView<std::uint8_t> out) {
    // A block of 32 outputs at a time for all rows, so that its tables stay in registers.
    for (std::int32_t x = 0; x < out.width; x += 32) {
        const auto g = static_cast<std::size_t>(x) / 8;
        const std::int32_t* bases = taps.bases.data() + g;
        const __m256i shuffle_a = table_lanes(taps.shuffles, g),
                      shuffle_b = table_lanes(taps.shuffles, g + 1);
        const __m256i shares_a = table_lanes(taps.shares, g), shares_b = table_lanes(taps.shares, g + 1);
        const __m256i rests_a = table_lanes(taps.rests, g), rests_b = table_lanes(taps.rests, g + 1);
        for (std::int32_t y = 0; y < in.height; ++y) {
            const std::uint8_t* source = in.row(y);
            const __m256i a =
                _mm256_shuffle_epi8(load_lanes(source + bases[0], source + bases[2]), shuffle_a);
            const __m256i b =
                _mm256_shuffle_epi8(load_lanes(source + bases[1], source + bases[3]), shuffle_b);
            store(out.row(y) + x, _mm256_packus_epi16(two_taps<whole>(a, shares_a, rests_a),
                                                      two_taps<whole>(b, shares_b, rests_b)));
        }
    }
}

// Row o of a pass along columns: 32 of its pixels at a time.
template <bool whole>
struct TwoRows {
    const std::uint8_t *above, *below;
    __m256i shares, rests;

    AVX2_INLINE TwoRows(const PlaneView<const std::uint8_t>& in, const TwoTaps& taps, std::int32_t o) {
        const auto at = static_cast<std::size_t>(o);
        std::int16_t pair;
        std::memcpy(&pair, taps.shares.data() + 2 * at, sizeof pair);
        shares = _mm256_set1_epi16(pair);
        rests = _mm256_set1_epi16(taps.rests[at]);
        above = in.row(taps.first[at]);
        below = in.row(taps.second[at]);
    }
    AVX2_INLINE __m256i at(std::int32_t x) const {
        const __m256i a = load(above + x), b = load(below + x);
        return _mm256_packus_epi16(two_taps<whole>(_mm256_unpacklo_epi8(a, b), shares, rests),
                                   two_taps<whole>(_mm256_unpackhi_epi8(a, b), shares, rests));
    }
};

template <bool whole>
MORPHOBENCH_AVX2 void vertical_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps,
                                   PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const TwoRows<whole> row(in, taps, o);
        for (std::int32_t x = 0; x < in.width; x += 32)
            store(out.row(o) + x, row.at(x));
    }
}

// Four bytes of a table in every 32-bit element.
AVX2_INLINE __m256i broadcast(const void* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}

// Sums of many taps for 32 columns of bytes: PairedTaps' formula.
struct ManySums {
    __m256i high[2], low[4];
};

AVX2_INLINE void clear(ManySums& sums) {
    for (auto& sum : sums.high)
        sum = _mm256_setzero_si256();
    for (auto& sum : sums.low)
        sum = _mm256_setzero_si256();
}

// Adds one pair of taps: `lo` and `hi` hold the pairs of pixels as unpacklo / unpackhi leave them.
AVX2_INLINE void add_pair(ManySums& sums, __m256i lo, __m256i hi, __m256i high, __m256i low) {
    const __m256i zero = _mm256_setzero_si256();
    sums.high[0] = _mm256_add_epi16(sums.high[0], _mm256_maddubs_epi16(lo, high));
    sums.high[1] = _mm256_add_epi16(sums.high[1], _mm256_maddubs_epi16(hi, high));
    sums.low[0] = _mm256_add_epi32(sums.low[0], _mm256_madd_epi16(_mm256_unpacklo_epi8(lo, zero), low));
    sums.low[1] = _mm256_add_epi32(sums.low[1], _mm256_madd_epi16(_mm256_unpackhi_epi8(lo, zero), low));
    sums.low[2] = _mm256_add_epi32(sums.low[2], _mm256_madd_epi16(_mm256_unpacklo_epi8(hi, zero), low));
    sums.low[3] = _mm256_add_epi32(sums.low[3], _mm256_madd_epi16(_mm256_unpackhi_epi8(hi, zero), low));
}

// (high 2^15 + low + 2^21) >> 22 == (high + (low >> 15) + 64) >> 7, for 16 of the columns.
AVX2_INLINE __m256i finish(__m256i high, __m256i low_a, __m256i low_b) {
    const __m256i rest = _mm256_packs_epi32(_mm256_srai_epi32(low_a, 15), _mm256_srai_epi32(low_b, 15));
    return _mm256_srai_epi16(_mm256_add_epi16(_mm256_add_epi16(high, rest), _mm256_set1_epi16(64)), 7);
}

MORPHOBENCH_AVX2 void vertical_many(PlaneView<const std::uint8_t> in, const PairedTaps& taps,
                                    PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const std::size_t row = 2 * at * static_cast<std::size_t>(taps.pairs);
        const std::int8_t* highs = taps.high.data() + 2 * row;
        const std::int16_t* lows = taps.low.data() + row;
        std::uint8_t* target = out.row(o);
        for (std::int32_t x = 0; x < in.width; x += 32) {
            ManySums sums;
            clear(sums);
            for (std::int32_t pair = 0; pair < taps.pairs; ++pair) {
                // A padding tap, of weight 0, may lie past the last row.
                const std::int32_t y = taps.first[at] + 2 * pair;
                const __m256i a = load(in.row(std::min(y, in.height - 1)) + x);
                const __m256i b = load(in.row(std::min(y + 1, in.height - 1)) + x);
                add_pair(sums, _mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b),
                         broadcast(highs + 4 * pair), broadcast(lows + 2 * pair));
            }
            store(target + x, _mm256_packus_epi16(finish(sums.high[0], sums.low[0], sums.low[1]),
                                                  finish(sums.high[1], sums.low[2], sums.low[3])));
        }
    }
}

// Eight rows of eight 16-bit elements to eight columns, in each lane.
AVX2_INLINE void transpose_8x8(__m256i (&m)[8]) {
    const __m256i a0 = _mm256_unpacklo_epi16(m[0], m[1]), a1 = _mm256_unpackhi_epi16(m[0], m[1]);
    const __m256i a2 = _mm256_unpacklo_epi16(m[2], m[3]), a3 = _mm256_unpackhi_epi16(m[2], m[3]);
    const __m256i a4 = _mm256_unpacklo_epi16(m[4], m[5]), a5 = _mm256_unpackhi_epi16(m[4], m[5]);
    const __m256i a6 = _mm256_unpacklo_epi16(m[6], m[7]), a7 = _mm256_unpackhi_epi16(m[6], m[7]);
    const __m256i b0 = _mm256_unpacklo_epi32(a0, a2), b1 = _mm256_unpackhi_epi32(a0, a2);
    const __m256i b2 = _mm256_unpacklo_epi32(a1, a3), b3 = _mm256_unpackhi_epi32(a1, a3);
    const __m256i b4 = _mm256_unpacklo_epi32(a4, a6), b5 = _mm256_unpackhi_epi32(a4, a6);
    const __m256i b6 = _mm256_unpacklo_epi32(a5, a7), b7 = _mm256_unpackhi_epi32(a5, a7);
    m[0] = _mm256_unpacklo_epi64(b0, b4), m[1] = _mm256_unpackhi_epi64(b0, b4);
    m[2] = _mm256_unpacklo_epi64(b1, b5), m[3] = _mm256_unpackhi_epi64(b1, b5);
    m[4] = _mm256_unpacklo_epi64(b2, b6), m[5] = _mm256_unpackhi_epi64(b2, b6);
    m[6] = _mm256_unpacklo_epi64(b3, b7), m[7] = _mm256_unpackhi_epi64(b3, b7);
}

constexpr std::int32_t strip_rows = 16;

// What is gathered of a pair of neighbouring columns: 16 rows x 2 pixels.
constexpr std::int32_t pair_bytes = 2 * strip_rows;

MORPHOBENCH_AVX2 void gather_pairs(PlaneView<const std::uint8_t> in, std::int32_t top, std::uint8_t* pairs) {
    std::uint8_t tail[strip_rows][16] = {};
    for (std::int32_t x = 0; x < in.width; x += 16) {
        const std::uint8_t* rows[strip_rows];
        for (std::int32_t i = 0; i < strip_rows; ++i) {
            rows[i] = in.row(std::min(top + i, in.height - 1)) + x;
            if (in.width - x < 16) {
                std::memcpy(tail[i], rows[i], static_cast<std::size_t>(in.width - x));
                rows[i] = tail[i];
            }
        }
        __m256i m[8];
        for (int i = 0; i < 8; ++i)
            m[i] = load_lanes(rows[i], rows[i + 8]);
        transpose_8x8(m);
        for (const __m256i& pair : m) {
            store(pairs, pair);
            pairs += pair_bytes;
        }
    }
}

// One output of 16 rows, as 16-bit elements.
AVX2_INLINE __m256i output_of_pairs(const std::uint8_t* pairs, const std::int8_t* highs,
                                    const std::int16_t* lows, std::int32_t count) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i high = zero, low_a = zero, low_b = zero;
    for (std::int32_t pair = 0; pair < count; ++pair) {
        const __m256i pixels = load(pairs + pair_bytes * pair), low = broadcast(lows + 2 * pair);
        high = _mm256_add_epi16(high, _mm256_maddubs_epi16(pixels, broadcast(highs + 4 * pair)));
        low_a = _mm256_add_epi32(low_a, _mm256_madd_epi16(_mm256_unpacklo_epi8(pixels, zero), low));
        low_b = _mm256_add_epi32(low_b, _mm256_madd_epi16(_mm256_unpackhi_epi8(pixels, zero), low));
    }
    return finish(high, low_a, low_b);
}

// Strips of 16 rows, turned so that rows lie side by side: then a tap is one weight for all of them.
MORPHOBENCH_AVX2 void horizontal_many(PlaneView<const std::uint8_t> in, const PairedTaps& taps,
                                      PlaneView<std::uint8_t> out) {
    thread_local std::vector<std::uint8_t> gathered;
    const std::size_t room = static_cast<std::size_t>((in.width + 15) / 16 * 8 + taps.pairs) * pair_bytes;
    if (gathered.size() < room) gathered.resize(room);
    for (std::int32_t top = 0; top < in.height; top += strip_rows) {
        gather_pairs(in, top, gathered.data());
        const std::int32_t rows = std::min(strip_rows, in.height - top);
        for (std::int32_t left = 0; left < out.width; left += 16) {
            __m256i m[2][8];
            for (std::int32_t i = 0; i < 16; ++i) {
                const auto at = static_cast<std::size_t>(std::min(left + i, out.width - 1));
                const std::size_t row = 2 * at * static_cast<std::size_t>(taps.pairs);
                m[i / 8][i % 8] =
                    output_of_pairs(gathered.data() + taps.first[at] / 2 * pair_bytes,
                                    taps.high.data() + 2 * row, taps.low.data() + row, taps.pairs);
            }
            transpose_8x8(m[0]);
            transpose_8x8(m[1]);
            for (std::int32_t i = 0; i < 8; ++i) {
                const __m256i bytes = _mm256_packus_epi16(m[0][i], m[1][i]);
                const auto put = [&](std::int32_t y, __m128i lane) {
                    if (y < rows) _mm_storeu_si128(reinterpret_cast<__m128i*>(out.row(top + y) + left), lane);
                };
                put(i, _mm256_castsi256_si128(bytes));
                put(i + 8, _mm256_extracti128_si256(bytes, 1));
            }
        }
    }
}

MORPHOBENCH_AVX2 void horizontal(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                                 const PlaneView<std::uint8_t>& out) {
    const bool shuffled = table.two.usable && !table.two.bases.empty();
    if (shuffled && table.two.exact_shares)
        horizontal_two<true>(in, table.two, out);
    else if (shuffled)
        horizontal_two<false>(in, table.two, out);
    else if (table.horizontal_pairs.usable)
        horizontal_many(in, table.horizontal_pairs, out);
    else
        scalar_kernels.horizontal(in, table, out);
}

MORPHOBENCH_AVX2 void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                               const PlaneView<std::uint8_t>& out) {
    if (table.two.usable && table.two.exact_shares)
        vertical_two<true>(in, table.two, out);
    else if (table.two.usable)
        vertical_two<false>(in, table.two, out);
    else if (table.vertical_pairs.usable)
        vertical_many(in, table.vertical_pairs, out);
    else
        scalar_kernels.vertical(in, table, out);
}

// Eight pixels / 255 = x high + x low to more than 24 bits, so that one fused rounding is the rounding of the
// quotient; the tests compare all 256 values.
AVX2_INLINE __m256 eight_units(__m128i bytes) {
    const __m256 high = _mm256_set1_ps(static_cast<float>(1.0 / 255.0));
    const __m256 low = _mm256_set1_ps(static_cast<float>(1.0 / 255.0 - static_cast<float>(1.0 / 255.0)));
    const __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    return _mm256_fmadd_ps(value, high, _mm256_mul_ps(value, low));
}

MORPHOBENCH_AVX2 void to_unit(const PlaneView<const std::uint8_t>& in, float* out) {
    const bool whole = in.stride == in.width;
    const std::ptrdiff_t count = whole ? std::ptrdiff_t{in.height} * in.width : in.width;
    for (std::int32_t y = 0; y < (whole ? 1 : in.height); ++y, out += count) {
        const std::uint8_t* source = in.row(y);
        std::ptrdiff_t x = 0;
        // A few at first, because a store across two lines of the cache costs twice as much.
        for (; x < count && reinterpret_cast<std::uintptr_t>(out + x) % 32; ++x)
            out[x] = static_cast<float>(source[x]) / 255.0f;
        for (; x + 8 <= count; x += 8)
            _mm256_storeu_ps(out + x,
                             eight_units(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source + x))));
        for (; x < count; ++x)
            out[x] = static_cast<float>(source[x]) / 255.0f;
    }
}

template <bool whole>
MORPHOBENCH_AVX2 void two_units(const PlaneView<const std::uint8_t>& in, const TwoTaps& taps,
                                std::int32_t height, float* out) {
    const std::int32_t width = in.width;
    for (std::int32_t o = 0; o < height; ++o, out += width) {
        const TwoRows<whole> row(in, taps, o);
        std::int32_t x = 0;
        for (; x + 32 <= width; x += 32) {
            const __m256i bytes = row.at(x);
            const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
            _mm256_storeu_ps(out + x, eight_units(low));
            _mm256_storeu_ps(out + x + 8, eight_units(_mm_srli_si128(low, 8)));
            _mm256_storeu_ps(out + x + 16, eight_units(high));
            _mm256_storeu_ps(out + x + 24, eight_units(_mm_srli_si128(high, 8)));
        }
        if (x < width) {
            alignas(32) std::uint8_t bytes[32];
            store(bytes, row.at(x));
            for (std::int32_t i = 0; x + i < width; ++i)
                out[x + i] = static_cast<float>(bytes[i]) / 255.0f;
        }
    }
}

bool try_vertical_to_unit(const PlaneView<const std::uint8_t>& in, const AxisTable& table, float* out) {
    if (!table.two.usable) return false;
    (table.two.exact_shares ? two_units<true> : two_units<false>)(in, table.two, table.out, out);
    return true;
}

} // namespace

const ViewKernels avx2_kernels{.level = "avx2",
                               .horizontal = horizontal,
                               .vertical = vertical,
                               .to_unit = to_unit,
                               .blur = avx2::blur,
                               .try_vertical_to_unit = try_vertical_to_unit,
                               .try_resize_to_unit = nullptr};

} // namespace morphobench

#endif
