#pragma once

#include <cstddef>

namespace morphobench {

// Rows of a tile: kernels take this many rows of either matrix at once, so that every value loaded is used
// as often. A ragged edge repeats its last row.
constexpr std::size_t tile_rows = 4;
constexpr std::size_t tile_pairs = tile_rows * tile_rows;

// 64 additions in each of 16 lanes: a relative error below 4e-6 at worst, 1e-7 as a rule.
constexpr std::size_t chunk_columns = 1024;

// Adds to differences[4 i + j] the sum over `columns` of |a[i] - b[j]|, and to sums the same of |a[i] +
// b[j]|. Sums run in float32 lanes, so callers pass at most `chunk_columns` columns at a time. The second sum
// may be off by a rounding of the first. Levels agree to rounding; within one, a pair's result does not
// depend on where in a tile it stands.
using AbsoluteSums = void (*)(const float* const* a, const float* const* b, std::size_t columns,
                              double* differences, double* sums);

// The kernel of the level in use.
AbsoluteSums absolute_sums();

// |(a - a_mean) a_scale - (b - b_mean) b_scale|^2 in float64, for pairs too close for a product; the same
// bits at every level.
double standardized_square(const float* a, double a_mean, double a_scale, const float* b, double b_mean,
                           double b_scale, std::size_t columns);

} // namespace morphobench
