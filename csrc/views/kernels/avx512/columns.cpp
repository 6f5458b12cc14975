// Kernels for AVX-512: the pass along columns, on its own or with / 255; and the blur.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstddef>

#include "views/kernels/avx512/avx512.hpp"
#include "views/kernels/blur_rows.hpp"

namespace morphobench::avx512 {

namespace {

// How rows of the output come about: `start` goes to output row o, `at` is its 64 bytes from x on.

struct SameRows {
    PlaneView<const std::uint8_t> in;
    const std::uint8_t* row;

    AVX512_INLINE explicit SameRows(const PlaneView<const std::uint8_t>& from) : in{from} {}
    AVX512_INLINE void start(std::int32_t o) { row = in.row(o); }
    AVX512_INLINE __m512i at(std::int32_t x) const {
        return x + 64 <= in.width ? load(row + x) : _mm512_maskz_loadu_epi8(first_of(in.width - x), row + x);
    }
};

template <bool whole>
struct TwoRows {
    PlaneView<const std::uint8_t> in;
    const TwoTaps& taps;
    const std::uint8_t *above, *below;
    __m512i shares, rests;

    AVX512_INLINE TwoRows(const PlaneView<const std::uint8_t>& from, const AxisTable& table)
        : in{from}, taps{table.two} {}
    AVX512_INLINE void start(std::int32_t o) {
        const auto place = static_cast<std::size_t>(o);
        above = in.row(taps.first[place]);
        below = in.row(taps.second[place]);
        std::int16_t pair;
        std::memcpy(&pair, taps.shares.data() + 2 * place, sizeof pair);
        shares = _mm512_set1_epi16(pair);
        rests = _mm512_set1_epi16(taps.rests[place]);
    }
    AVX512_INLINE __m512i at(std::int32_t x) const {
        const __m512i a = load(above + x), b = load(below + x);
        return _mm512_packus_epi16(two_taps<whole>(_mm512_unpacklo_epi8(a, b), shares, rests),
                                   two_taps<whole>(_mm512_unpackhi_epi8(a, b), shares, rests));
    }
};

struct ManyRows {
    PlaneView<const std::uint8_t> in;
    const AxisTable& table;
    const VerticalQuads& taps;
    std::int32_t first;
    const std::int8_t* digits_of_row;

    AVX512_INLINE ManyRows(const PlaneView<const std::uint8_t>& from, const AxisTable& with)
        : in{from}, table{with}, taps{with.vertical_quads} {}
    AVX512_INLINE void start(std::int32_t o) {
        first = table.first[static_cast<std::size_t>(o)];
        digits_of_row = taps.digits.data() + std::ptrdiff_t{12} * taps.quads * o;
    }
    AVX512_INLINE static __m512i broadcast(const std::int8_t* digits) {
        std::int32_t quad;
        std::memcpy(&quad, digits, sizeof quad);
        return _mm512_set1_epi32(quad);
    }
    AVX512_INLINE __m512i at(std::int32_t x) const {
        QuadSums sums[4] = {no_sums(), no_sums(), no_sums(), no_sums()};
        for (std::int32_t quad = 0; quad < taps.quads; ++quad) {
            // A padding tap, of weight 0, may lie past the last row.
            const std::int32_t y = first + 4 * quad;
            const std::int8_t* digits = digits_of_row + 12 * quad;
            __m512i row[4];
            for (std::int32_t i = 0; i < 4; ++i)
                row[i] = load(in.row(std::min(y + i, in.height - 1)) + x);
            const __m512i ab_low = _mm512_unpacklo_epi8(row[0], row[1]),
                          ab_high = _mm512_unpackhi_epi8(row[0], row[1]),
                          cd_low = _mm512_unpacklo_epi8(row[2], row[3]),
                          cd_high = _mm512_unpackhi_epi8(row[2], row[3]);
            const __m512i high = broadcast(digits), middle = broadcast(digits + 4),
                          low = broadcast(digits + 8);
            add(sums[0], _mm512_unpacklo_epi16(ab_low, cd_low), high, middle, low);
            add(sums[1], _mm512_unpackhi_epi16(ab_low, cd_low), high, middle, low);
            add(sums[2], _mm512_unpacklo_epi16(ab_high, cd_high), high, middle, low);
            add(sums[3], _mm512_unpackhi_epi16(ab_high, cd_high), high, middle, low);
        }
        for (QuadSums& sum : sums)
            sum.low = _mm512_srli_epi32(total(sum), weight_bits);
        return _mm512_packus_epi16(_mm512_packus_epi32(sums[0].low, sums[1].low),
                                   _mm512_packus_epi32(sums[2].low, sums[3].low));
    }
};

template <class Rows>
AVX512_INLINE void write_bytes(Rows rows, std::int32_t width, PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        rows.start(o);
        for (std::int32_t x = 0; x < width; x += 64)
            store(out.row(o) + x, rows.at(x));
    }
}

template <class Rows>
AVX512_INLINE void write_units(Rows rows, std::int32_t height, std::int32_t width, float* out) {
    for (std::int32_t o = 0; o < height; ++o, out += width) {
        rows.start(o);
        std::int32_t x = 0;
        for (; x + 64 <= width; x += 64) {
            const __m512i bytes = rows.at(x);
            for (int i = 0; i < 4; ++i)
                _mm512_storeu_ps(out + x + 16 * i, to_units(spread<1>(bytes, i)));
        }
        if (x < width) {
            const __m512i bytes = rows.at(x);
            const __mmask64 left = first_of(width - x);
            for (int i = 0; x + 16 * i < width; ++i)
                _mm512_mask_storeu_ps(out + x + 16 * i, static_cast<__mmask16>(left >> 16 * i),
                                      to_units(spread<1>(bytes, i)));
        }
    }
}

AVX512_INLINE __m512 three_taps(__m512 before, __m512 here, __m512 after, __m512 edge, __m512 center) {
    return _mm512_add_ps(_mm512_mul_ps(edge, _mm512_add_ps(before, after)), _mm512_mul_ps(center, here));
}

AVX512_INLINE __m512 last_and(__m512 before, __m512 here) {
    return _mm512_castsi512_ps(
        _mm512_alignr_epi32(_mm512_castps_si512(here), _mm512_castps_si512(before), 15));
}
AVX512_INLINE __m512 and_first(__m512 here, __m512 after) {
    return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(after), _mm512_castps_si512(here), 1));
}

// The pixels before the 16 from x on, and those after the 16 up to `end`; the row is reflected at its ends.
AVX512_INLINE __m512 pixels_before(const float* row, std::int32_t x, __m512 here) {
    return x > 0 ? _mm512_loadu_ps(row + x - 1) : last_and(_mm512_set1_ps(row[1]), here);
}
AVX512_INLINE __m512 pixels_after(const float* row, std::int32_t end, std::int32_t width, __m512 here) {
    return end < width ? _mm512_loadu_ps(row + end - 15) : and_first(here, _mm512_set1_ps(row[width - 2]));
}

// A part of a row: 16 pixels, or 64. By name and not in an array, which GCC would keep in memory.
struct Part16 {
    static constexpr std::int32_t pixels = 16;
    __m512 a;

    // The part blurred along its row.
    AVX512_INLINE static Part16 blurred(const float* row, std::int32_t x, std::int32_t width, __m512 edge,
                                        __m512 center) {
        const __m512 a = _mm512_loadu_ps(row + x);
        return {three_taps(pixels_before(row, x, a), a, pixels_after(row, x + 16, width, a), edge, center)};
    }
    AVX512_INLINE static void store_blurred(const Part16& above, const Part16& here, const Part16& below,
                                            __m512 edge, __m512 center, float* out) {
        _mm512_storeu_ps(out, three_taps(above.a, here.a, below.a, edge, center));
    }
};

struct Part64 {
    static constexpr std::int32_t pixels = 64;
    __m512 a, b, c, d;

    AVX512_INLINE static Part64 blurred(const float* row, std::int32_t x, std::int32_t width, __m512 edge,
                                        __m512 center) {
        const __m512 a = _mm512_loadu_ps(row + x), b = _mm512_loadu_ps(row + x + 16),
                     c = _mm512_loadu_ps(row + x + 32), d = _mm512_loadu_ps(row + x + 48);
        return {three_taps(pixels_before(row, x, a), a, and_first(a, b), edge, center),
                three_taps(last_and(a, b), b, and_first(b, c), edge, center),
                three_taps(last_and(b, c), c, and_first(c, d), edge, center),
                three_taps(last_and(c, d), d, pixels_after(row, x + 64, width, d), edge, center)};
    }
    AVX512_INLINE static void store_blurred(const Part64& above, const Part64& here, const Part64& below,
                                            __m512 edge, __m512 center, float* out) {
        _mm512_storeu_ps(out, three_taps(above.a, here.a, below.a, edge, center));
        _mm512_storeu_ps(out + 16, three_taps(above.b, here.b, below.b, edge, center));
        _mm512_storeu_ps(out + 32, three_taps(above.c, here.c, below.c, edge, center));
        _mm512_storeu_ps(out + 48, three_taps(above.d, here.d, below.d, edge, center));
    }
};

// A strip of columns: the rows above and below stay in registers, blurred along.
template <class Part>
AVX512 void blur_strip(PlaneView<const float> in, std::int32_t x, float edge_weight, float center_weight,
                       float* out) {
    const __m512 edge = _mm512_set1_ps(edge_weight), center = _mm512_set1_ps(center_weight);
    const std::int32_t last = in.height - 1;
    Part here = Part::blurred(in.row(0), x, in.width, edge, center);
    Part above = Part::blurred(in.row(std::min(1, last)), x, in.width, edge, center);
    for (std::int32_t y = 0; y <= last; ++y) {
        const std::int32_t next = y < last ? y + 1 : std::max(0, y - 1);
        const Part below = Part::blurred(in.row(next), x, in.width, edge, center);
        Part::store_blurred(above, here, below, edge, center, out + std::ptrdiff_t{y} * in.width + x);
        above = here;
        here = below;
    }
}

AVX512 void blur_any(PlaneView<const float> in, float edge, float center, float* rows, float* out) {
    blur_plane(in, edge, center, rows, out);
}

template <class Rows>
AVX512 void bytes_of(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                     const PlaneView<std::uint8_t>& out) {
    write_bytes(Rows(in, table), in.width, out);
}

template <class Rows>
AVX512 void units_of(const PlaneView<const std::uint8_t>& in, const AxisTable& table, float* out) {
    write_units(Rows(in, table), table.out, in.width, out);
}

} // namespace

void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out) {
    const auto pass = !table.two.usable        ? bytes_of<ManyRows>
                      : table.two.exact_shares ? bytes_of<TwoRows<true>>
                                               : bytes_of<TwoRows<false>>;
    pass(in, table, out);
}

bool try_vertical_to_unit(const PlaneView<const std::uint8_t>& in, const AxisTable& table, float* out) {
    const auto pass = !table.two.usable        ? units_of<ManyRows>
                      : table.two.exact_shares ? units_of<TwoRows<true>>
                                               : units_of<TwoRows<false>>;
    pass(in, table, out);
    return true;
}

AVX512 void to_unit(const PlaneView<const std::uint8_t>& in, float* out) {
    write_units(SameRows(in), in.height, in.width, out);
}

void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out) {
    if (in.width % 16) return blur_any(in, edge, center, rows, out);
    std::int32_t x = 0;
    for (; x + Part64::pixels <= in.width; x += Part64::pixels)
        blur_strip<Part64>(in, x, edge, center, out);
    for (; x < in.width; x += Part16::pixels)
        blur_strip<Part16>(in, x, edge, center, out);
}

} // namespace morphobench::avx512

#endif
