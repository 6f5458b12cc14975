#pragma once

#include <cstddef>
#include <vector>

#include "core/array_view.hpp"

namespace morphobench {

// Per row what its distances need. With level = sqrt(D) mean, spread = |row - mean| and norm = |row|, a row
// is the vector (level, spread) in the plane of (1, ..., 1) and row - mean. For two rows at correlation
// distance d, Pythagoras gives sums of non-negative terms, so that nothing cancels:
//   euclidean^2 = (level - level')^2 + (spread - spread')^2 + 2 spread spread' d
//   cosine      = |(level, spread) / norm - (level', spread') / norm'|^2 / 2 + spread spread' d / (norm
//   norm')
struct RowStatistics {
    std::vector<double> mean, level, spread;
    std::vector<double> inverse_spread;            // 0 where the row is constant
    std::vector<double> level_share, spread_share; // level / norm, spread / norm; NaN where the row is 0
    std::vector<double> undefined;                 // NaN where the row is constant, else 0
    std::vector<double> half_square;               // of the standardized row, less the centre

    // All but half_square. Throws std::invalid_argument, with `name` and the first such row, if a value is a
    // NaN or an infinity.
    RowStatistics(MatrixView<const float> matrix, unsigned threads, const char* name);
};

// Adds the standardized rows (row - mean) / spread of some evenly spaced rows to centre, and returns how
// many.
std::size_t add_to_centre(MatrixView<const float> matrix, const RowStatistics& statistics,
                          std::vector<double>& centre);

// The standardized rows less the centre, in float32, and statistics.half_square of what was stored.
std::vector<float> standardized_rows(MatrixView<const float> matrix, const std::vector<double>& centre,
                                     unsigned threads, RowStatistics& statistics);

} // namespace morphobench
