// The blur for AVX2; every result equals that of scalar.cpp.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_X86

#include <algorithm>
#include <cstddef>

#include "views/kernels/avx2/avx2.hpp"
#include "views/kernels/blur_rows.hpp"

namespace morphobench::avx2 {

namespace {

AVX2_INLINE __m256 three_taps(__m256 before, __m256 here, __m256 after, __m256 edge, __m256 center) {
    return _mm256_add_ps(_mm256_mul_ps(edge, _mm256_add_ps(before, after)), _mm256_mul_ps(center, here));
}

// The pixels before the eight from x on, and those after; the row is reflected at its ends.
AVX2_INLINE __m256 pixels_before(const float* row, std::int32_t x, __m256 here) {
    if (x > 0) return _mm256_loadu_ps(row + x - 1);
    const __m256 shifted = _mm256_permutevar8x32_ps(here, _mm256_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6));
    return _mm256_blend_ps(shifted, _mm256_set1_ps(row[1]), 0x01);
}
AVX2_INLINE __m256 pixels_after(const float* row, std::int32_t x, std::int32_t width, __m256 here) {
    if (x + 8 < width) return _mm256_loadu_ps(row + x + 1);
    const __m256 shifted = _mm256_permutevar8x32_ps(here, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7));
    return _mm256_blend_ps(shifted, _mm256_set1_ps(row[width - 2]), 0x80);
}

AVX2_INLINE __m256 blur_along(const float* row, std::int32_t x, std::int32_t width, __m256 edge,
                              __m256 center) {
    const __m256 here = _mm256_loadu_ps(row + x);
    return three_taps(pixels_before(row, x, here), here, pixels_after(row, x, width, here), edge, center);
}

// A strip of 16 columns: the rows above and below stay in registers, blurred along.
MORPHOBENCH_AVX2 void blur_strip(PlaneView<const float> in, std::int32_t x, float edge_weight,
                                 float center_weight, float* out) {
    const __m256 edge = _mm256_set1_ps(edge_weight), center = _mm256_set1_ps(center_weight);
    const std::int32_t last = in.height - 1, width = in.width;
    const float* row = in.row(std::min(1, last));
    __m256 above_a = blur_along(row, x, width, edge, center),
           above_b = blur_along(row, x + 8, width, edge, center);
    __m256 here_a = blur_along(in.row(0), x, width, edge, center),
           here_b = blur_along(in.row(0), x + 8, width, edge, center);
    for (std::int32_t y = 0; y <= last; ++y) {
        row = in.row(y < last ? y + 1 : std::max(0, y - 1));
        const __m256 below_a = blur_along(row, x, width, edge, center),
                     below_b = blur_along(row, x + 8, width, edge, center);
        float* target = out + std::ptrdiff_t{y} * width + x;
        _mm256_storeu_ps(target, three_taps(above_a, here_a, below_a, edge, center));
        _mm256_storeu_ps(target + 8, three_taps(above_b, here_b, below_b, edge, center));
        above_a = here_a, above_b = here_b;
        here_a = below_a, here_b = below_b;
    }
}

} // namespace

MORPHOBENCH_AVX2 void blur(const PlaneView<const float>& in, float edge, float center, float* rows,
                           float* out) {
    if (in.width % 16) return blur_plane(in, edge, center, rows, out);
    for (std::int32_t x = 0; x < in.width; x += 16)
        blur_strip(in, x, edge, center, out);
}

} // namespace morphobench::avx2

#endif
