#include "distances/kernels.hpp"

#include <cmath>

#include "core/vector.hpp"
#include "dispatch/at_level.hpp"

namespace morphobench {
namespace {

constexpr std::size_t lanes = 8;

MORPHOBENCH_INLINE double standardized_square_in_lanes(const float* a, double a_mean, double a_scale,
                                                       const float* b, double b_mean, double b_scale,
                                                       std::size_t columns) {
    double sums[lanes] = {};
    for_lanes<lanes>(columns, [&](std::size_t k, std::size_t lane) {
        const double difference =
            (static_cast<double>(a[k]) - a_mean) * a_scale - (static_cast<double>(b[k]) - b_mean) * b_scale;
        sums[lane] += difference * difference;
    });
    return sum_of_lanes(sums);
}

void absolute_sums_scalar(const float* const* a, const float* const* b, std::size_t columns,
                          double* differences, double* sums) {
    for (std::size_t i = 0; i < tile_rows; ++i)
        for (std::size_t j = 0; j < tile_rows; ++j) {
            float difference[lanes] = {}, sum[lanes] = {};
            for_lanes<lanes>(columns, [&, x = a[i], y = b[j]](std::size_t k, std::size_t lane) {
                difference[lane] += std::fabs(x[k] - y[k]);
                sum[lane] += std::fabs(x[k] + y[k]);
            });
            differences[tile_rows * i + j] += static_cast<double>(sum_of_lanes(difference));
            sums[tile_rows * i + j] += static_cast<double>(sum_of_lanes(sum));
        }
}

#if MORPHOBENCH_X86

// Both kernels add by fused multiply-adds with 1, which round as additions do: AMD's Zen has units of their
// own for either, and half of the work here is plain additions already.

// Four vectors to one: lane l of either 128-bit half holds the sum of that half of vector[l].
MORPHOBENCH_AVX2 inline __m256 fold_four(const __m256* vector) {
    const __m256 low =
        _mm256_add_ps(_mm256_unpacklo_ps(vector[0], vector[1]), _mm256_unpackhi_ps(vector[0], vector[1]));
    const __m256 high =
        _mm256_add_ps(_mm256_unpacklo_ps(vector[2], vector[3]), _mm256_unpackhi_ps(vector[2], vector[3]));
    return _mm256_add_ps(_mm256_shuffle_ps(low, high, _MM_SHUFFLE(1, 0, 1, 0)),
                         _mm256_shuffle_ps(low, high, _MM_SHUFFLE(3, 2, 3, 2)));
}

MORPHOBENCH_AVX2 inline void add_four(double* target, __m256 folded) {
    const __m128 sum = _mm_add_ps(_mm256_castps256_ps128(folded), _mm256_extractf128_ps(folded, 1));
    _mm256_storeu_pd(target, _mm256_add_pd(_mm256_loadu_pd(target), _mm256_cvtps_pd(sum)));
}

MORPHOBENCH_AVX2 void absolute_sums_avx2(const float* const* a, const float* const* b, std::size_t columns,
                                         double* differences, double* sums) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    const __m256 one = _mm256_set1_ps(1.f);
    const std::size_t full_columns = columns - columns % 8;
    alignas(32) int mask_values[8];
    for (std::size_t l = 0; l < 8; ++l)
        mask_values[l] = full_columns + l < columns ? -1 : 0;
    const __m256i mask = _mm256_load_si256(reinterpret_cast<const __m256i*>(mask_values));
    // One row of a against four of b: eight sums, four rows and a mask fit the sixteen registers.
    for (std::size_t i = 0; i < tile_rows; ++i) {
        __m256 difference[tile_rows];
        __m256 sum[tile_rows];
        for (std::size_t j = 0; j < tile_rows; ++j)
            difference[j] = sum[j] = _mm256_setzero_ps();
        for (std::size_t k = 0; k < full_columns; k += 8) {
            const __m256 x = _mm256_loadu_ps(a[i] + k);
            for (std::size_t j = 0; j < tile_rows; ++j) {
                const __m256 y = _mm256_loadu_ps(b[j] + k);
                difference[j] =
                    _mm256_fmadd_ps(_mm256_and_ps(magnitude, _mm256_sub_ps(x, y)), one, difference[j]);
                sum[j] = _mm256_fmadd_ps(_mm256_and_ps(magnitude, _mm256_add_ps(x, y)), one, sum[j]);
            }
        }
        if (full_columns < columns) {
            const __m256 x = _mm256_maskload_ps(a[i] + full_columns, mask);
            for (std::size_t j = 0; j < tile_rows; ++j) {
                const __m256 y = _mm256_maskload_ps(b[j] + full_columns, mask);
                difference[j] =
                    _mm256_fmadd_ps(_mm256_and_ps(magnitude, _mm256_sub_ps(x, y)), one, difference[j]);
                sum[j] = _mm256_fmadd_ps(_mm256_and_ps(magnitude, _mm256_add_ps(x, y)), one, sum[j]);
            }
        }
        add_four(differences + tile_rows * i, fold_four(difference));
        add_four(sums + tile_rows * i, fold_four(sum));
    }
}

MORPHOBENCH_AVX512 inline __m512 fold_four(const __m512* vector) {
    const __m512 low =
        _mm512_add_ps(_mm512_unpacklo_ps(vector[0], vector[1]), _mm512_unpackhi_ps(vector[0], vector[1]));
    const __m512 high =
        _mm512_add_ps(_mm512_unpacklo_ps(vector[2], vector[3]), _mm512_unpackhi_ps(vector[2], vector[3]));
    return _mm512_add_ps(_mm512_shuffle_ps(low, high, _MM_SHUFFLE(1, 0, 1, 0)),
                         _mm512_shuffle_ps(low, high, _MM_SHUFFLE(3, 2, 3, 2)));
}

// Eight vectors to eight sums.
MORPHOBENCH_AVX512 inline void store_eight(double* target, const __m512* vector) {
    const __m512 low = fold_four(vector);
    const __m512 high = fold_four(vector + 4);
    const __m512 half =
        _mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
    const __m512 sum =
        _mm512_add_ps(_mm512_shuffle_f32x4(half, half, 0x88), _mm512_shuffle_f32x4(half, half, 0xdd));
    _mm512_storeu_pd(target, _mm512_cvtps_pd(_mm512_castps512_ps256(sum)));
}

// Two rows of a against four of b: sixteen sums and six rows of the thirty-two registers. Instead of
// |x + y| it sums max(|x|, |y|), one instruction less, since |x - y| + |x + y| = 2 max(|x|, |y|).
struct SumsOfTwoRows {
    __m512 difference[2 * tile_rows];
    __m512 larger[2 * tile_rows];
};

MORPHOBENCH_AVX512 MORPHOBENCH_INLINE void add_columns(SumsOfTwoRows& sums, const float* const* a,
                                                       const float* const* b, std::size_t k, __mmask16 mask) {
    constexpr int largest_magnitude = 0b1011;
    const __m512 one = _mm512_set1_ps(1.f);
    const __m512 x[2] = {_mm512_maskz_loadu_ps(mask, a[0] + k), _mm512_maskz_loadu_ps(mask, a[1] + k)};
    for (std::size_t j = 0; j < tile_rows; ++j) {
        const __m512 y = _mm512_maskz_loadu_ps(mask, b[j] + k);
        for (std::size_t i = 0; i < 2; ++i) {
            __m512& difference = sums.difference[tile_rows * i + j];
            __m512& larger = sums.larger[tile_rows * i + j];
            difference = _mm512_fmadd_ps(_mm512_abs_ps(_mm512_sub_ps(x[i], y)), one, difference);
            larger = _mm512_fmadd_ps(_mm512_range_ps(x[i], y, largest_magnitude), one, larger);
        }
    }
}

MORPHOBENCH_AVX512 void absolute_sums_avx512(const float* const* a, const float* const* b,
                                             std::size_t columns, double* differences, double* sums) {
    const std::size_t full_columns = columns - columns % 16;
    for (std::size_t i = 0; i < tile_rows; i += 2) {
        SumsOfTwoRows two;
        for (std::size_t s = 0; s < 2 * tile_rows; ++s)
            two.difference[s] = two.larger[s] = _mm512_setzero_ps();
        for (std::size_t k = 0; k < full_columns; k += 16)
            add_columns(two, a + i, b, k, 0xffff);
        if (full_columns < columns)
            add_columns(two, a + i, b, full_columns, static_cast<__mmask16>((1u << (columns % 16)) - 1u));
        double difference[2 * tile_rows];
        double larger[2 * tile_rows];
        store_eight(difference, two.difference);
        store_eight(larger, two.larger);
        for (std::size_t s = 0; s < 2 * tile_rows; ++s) {
            differences[tile_rows * i + s] += difference[s];
            sums[tile_rows * i + s] += 2 * larger[s] - difference[s];
        }
    }
}

#endif

} // namespace

AbsoluteSums absolute_sums() {
    switch (simd_level()) {
#if MORPHOBENCH_X86
    case SimdLevel::avx512:
        return absolute_sums_avx512;
    case SimdLevel::avx2:
        return absolute_sums_avx2;
#endif
    default:
        return absolute_sums_scalar;
    }
}

double standardized_square(const float* a, double a_mean, double a_scale, const float* b, double b_mean,
                           double b_scale, std::size_t columns) {
    return at_level<standardized_square_in_lanes>(a, a_mean, a_scale, b, b_mean, b_scale, columns);
}

} // namespace morphobench
