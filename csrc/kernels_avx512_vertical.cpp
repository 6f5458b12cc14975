// Kernels for AVX-512: the pass along columns, on its own or with / 255 and the blur in the same registers.

#include "simd.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstddef>

#include "avx512.hpp"
#include "blur_rows.hpp"

namespace morphobench::avx512 {

namespace {

// How rows of the output come about: `start` goes to output row o, `at` is its 64 bytes from x on.

struct SameRows {
    PlaneView<const std::uint8_t> in;
    const std::uint8_t* row;

    AVX512_INLINE SameRows(const PlaneView<const std::uint8_t>& from, const AxisTable*) : in{from} {}
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

    AVX512_INLINE TwoRows(const PlaneView<const std::uint8_t>& from, const AxisTable* table)
        : in{from}, taps{table->two} {}
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
    const RowQuads& taps;
    std::int32_t first;
    const std::int8_t* digits_of_row;

    AVX512_INLINE ManyRows(const PlaneView<const std::uint8_t>& from, const AxisTable* with)
        : in{from}, table{*with}, taps{with->row_quads} {}
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
        return _mm512_packus_epi16(_mm512_packus_epi32(total(sums[0]), total(sums[1])),
                                   _mm512_packus_epi32(total(sums[2]), total(sums[3])));
    }
};

// Neighbours in a row, as vectors of 16 floats.
template <int vectors>
struct Part {
    __m512 vector[vectors];
};

// x / 255 = x 2^-8 + x 2^-16 + x 2^-24 + ...: its first 32 bits are the byte four times over. Of these a
// float keeps 24 from the first that is set, and leaves off the bits of x itself, the first of them set, and
// more: always over half a unit, so that rounding up is rounding to nearest.
AVX512_INLINE Part<4> to_units(__m512i bytes) {
    const __m512i first = _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b,
                                           0x0a0a0a0a, 0x09090909, 0x08080808, 0x07070707, 0x06060606,
                                           0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
    Part<4> made;
    for (int i = 0; i < 4; ++i) {
        const __m512i spread =
            _mm512_or_si512(first, _mm512_set1_epi8(static_cast<char>(16 * i))); // a constant
        const __m512i bits = _mm512_permutexvar_epi8(spread, bytes);
        made.vector[i] =
            _mm512_mul_ps(_mm512_cvt_roundepu32_ps(bits, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC),
                          _mm512_set1_ps(0x1p-32f));
    }
    return made;
}

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
            const Part<4> made = to_units(rows.at(x));
            for (int i = 0; i < 4; ++i)
                _mm512_storeu_ps(out + x + 16 * i, made.vector[i]);
        }
        if (x < width) {
            const Part<4> made = to_units(rows.at(x));
            const __mmask64 left = first_of(width - x);
            for (int i = 0; x + 16 * i < width; ++i)
                _mm512_mask_storeu_ps(out + x + 16 * i, static_cast<__mmask16>(left >> 16 * i),
                                      made.vector[i]);
        }
    }
}

AVX512_INLINE __m512 three_taps(__m512 before, __m512 here, __m512 after, __m512 edge, __m512 center) {
    return _mm512_add_ps(_mm512_mul_ps(edge, _mm512_add_ps(before, after)), _mm512_mul_ps(center, here));
}

// The part blurred along the row; `before` ends in the pixel before it, `after` begins with the one after it.
template <int vectors>
AVX512_INLINE Part<vectors> blur_along(const Part<vectors>& row, __m512 before, __m512 after, __m512 edge,
                                       __m512 center) {
    Part<vectors> made;
    for (int i = 0; i < vectors; ++i) {
        const __m512i here = _mm512_castps_si512(row.vector[i]);
        const __m512i previous = _mm512_castps_si512(i ? row.vector[i - 1] : before);
        const __m512i next = _mm512_castps_si512(i < vectors - 1 ? row.vector[i + 1] : after);
        made.vector[i] =
            three_taps(_mm512_castsi512_ps(_mm512_alignr_epi32(here, previous, 15)), row.vector[i],
                       _mm512_castsi512_ps(_mm512_alignr_epi32(next, here, 1)), edge, center);
    }
    return made;
}

// The same of a whole row of 64 pixels, reflected at its ends.
AVX512_INLINE Part<4> blur_row(const Part<4>& row, __m512 edge, __m512 center) {
    return blur_along<4>(row, _mm512_permutexvar_ps(_mm512_set1_epi32(1), row.vector[0]),
                         _mm512_permutexvar_ps(_mm512_set1_epi32(14), row.vector[3]), edge, center);
}

template <int vectors>
AVX512_INLINE void blur_across(const Part<vectors>& above, const Part<vectors>& here,
                               const Part<vectors>& below, __m512 edge, __m512 center, float* out) {
    for (int i = 0; i < vectors; ++i)
        _mm512_storeu_ps(out + 16 * i,
                         three_taps(above.vector[i], here.vector[i], below.vector[i], edge, center));
}

// Rows of 64 pixels: those above and below stay in registers.
template <class Rows>
AVX512_INLINE void write_blurred(Rows rows, std::int32_t height, float edge_weight, float center_weight,
                                 float* out) {
    const __m512 edge = _mm512_set1_ps(edge_weight), center = _mm512_set1_ps(center_weight);
    rows.start(0);
    Part<4> here = blur_row(to_units(rows.at(0)), edge, center);
    rows.start(std::min(1, height - 1));
    Part<4> below = blur_row(to_units(rows.at(0)), edge, center), above = below;
    for (std::int32_t o = 0; o < height; ++o, out += 64) {
        blur_across(above, here, below, edge, center, out);
        above = here;
        here = below;
        if (o + 2 < height) {
            rows.start(o + 2);
            below = blur_row(to_units(rows.at(0)), edge, center);
        } else {
            below = above;
        }
    }
}

// A strip of columns of a plane of floats, reflected at its ends.
template <int vectors>
AVX512_INLINE Part<vectors> blur_strip_row(const float* row, std::int32_t left, std::int32_t width,
                                           __m512 edge, __m512 center) {
    Part<vectors> part;
    for (int i = 0; i < vectors; ++i)
        part.vector[i] = _mm512_loadu_ps(row + left + 16 * i);
    const std::int32_t end = left + 16 * vectors;
    return blur_along<vectors>(part, left > 0 ? _mm512_loadu_ps(row + left - 16) : _mm512_set1_ps(row[1]),
                               end < width ? _mm512_loadu_ps(row + end) : _mm512_set1_ps(row[width - 2]),
                               edge, center);
}

template <int vectors>
AVX512 void blur_strip(PlaneView<const float> in, std::int32_t left, float edge_weight, float center_weight,
                       float* out) {
    const __m512 edge = _mm512_set1_ps(edge_weight), center = _mm512_set1_ps(center_weight);
    const std::int32_t last = in.height - 1;
    Part<vectors> here = blur_strip_row<vectors>(in.row(0), left, in.width, edge, center);
    Part<vectors> above = blur_strip_row<vectors>(in.row(std::min(1, last)), left, in.width, edge, center);
    for (std::int32_t y = 0; y <= last; ++y) {
        const Part<vectors> below = blur_strip_row<vectors>(in.row(y < last ? y + 1 : std::max(0, y - 1)),
                                                            left, in.width, edge, center);
        blur_across(above, here, below, edge, center, out + std::ptrdiff_t{y} * in.width + left);
        above = here;
        here = below;
    }
}

AVX512 void blur_any(PlaneView<const float> in, float edge, float center, float* rows, float* out) {
    blur_plane(in, edge, center, rows, out);
}

// What a vertical pass does; without a table, nothing.
enum class Form { same, shares, two, many };

Form form_of(const AxisTable* table) {
    if (!table || table->identity) return Form::same;
    if (!table->two.usable) return Form::many;
    return table->two.exact_shares ? Form::shares : Form::two;
}

template <class Rows>
AVX512 void bytes_of(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                     const PlaneView<std::uint8_t>& out) {
    write_bytes(Rows(in, &table), in.width, out);
}

template <class Rows>
AVX512 void units_of(const PlaneView<const std::uint8_t>& in, const AxisTable* table, float* out) {
    write_units(Rows(in, table), table ? table->out : in.height, in.width, out);
}

template <class Rows>
AVX512 void blurred_of(const PlaneView<const std::uint8_t>& in, const AxisTable* table, float edge,
                       float center, float* out) {
    write_blurred(Rows(in, table), table ? table->out : in.height, edge, center, out);
}

} // namespace

void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out) {
    switch (form_of(&table)) {
    case Form::same:
        return bytes_of<SameRows>(in, table, out);
    case Form::shares:
        return bytes_of<TwoRows<true>>(in, table, out);
    case Form::two:
        return bytes_of<TwoRows<false>>(in, table, out);
    case Form::many:
        return bytes_of<ManyRows>(in, table, out);
    }
}

void units(const PlaneView<const std::uint8_t>& in, const AxisTable* table, float* out) {
    switch (form_of(table)) {
    case Form::same:
        return units_of<SameRows>(in, table, out);
    case Form::shares:
        return units_of<TwoRows<true>>(in, table, out);
    case Form::two:
        return units_of<TwoRows<false>>(in, table, out);
    case Form::many:
        return units_of<ManyRows>(in, table, out);
    }
}

void blurred_units(const PlaneView<const std::uint8_t>& in, const AxisTable* table, float edge, float center,
                   float* out) {
    switch (form_of(table)) {
    case Form::same:
        return blurred_of<SameRows>(in, table, edge, center, out);
    case Form::shares:
        return blurred_of<TwoRows<true>>(in, table, edge, center, out);
    case Form::two:
        return blurred_of<TwoRows<false>>(in, table, edge, center, out);
    case Form::many:
        return blurred_of<ManyRows>(in, table, edge, center, out);
    }
}

void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out) {
    if (in.width % 16) return blur_any(in, edge, center, rows, out);
    std::int32_t left = 0;
    for (; left + 64 <= in.width; left += 64)
        blur_strip<4>(in, left, edge, center, out);
    for (; left < in.width; left += 16)
        blur_strip<1>(in, left, edge, center, out);
}

} // namespace morphobench::avx512

#endif
