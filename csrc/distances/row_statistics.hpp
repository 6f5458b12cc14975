#pragma once

#include <cstddef>
#include <vector>

#include "core/array_view.hpp"

namespace morphobench {

// What a row contributes to its distances. With level = sqrt(D) mean, spread = |row - mean| and
// norm = |row|, a row is its plane vector (level, spread) in the directions (1, ..., 1) and row - mean. For
// two rows whose correlation distance is d, Pythagoras gives, every term non-negative, so nothing cancels:
//   euclidean^2 = (level - level')^2 + (spread - spread')^2 + 2 spread spread' d
//   cosine      = |(level, spread) / norm - (level', spread') / norm'|^2 / 2 + spread spread' d / (norm
//   norm')
struct RowFacts {
    std::vector<double> mean, level, spread;
    std::vector<double> inverse_spread;            // 0 where the row is constant
    std::vector<double> level_share, spread_share; // level / norm, spread / norm; NaN where the row is 0
    std::vector<double> undefined;                 // NaN where the row is constant, else 0
    std::vector<double> half_square;               // of the standardized row, less the centre

    explicit RowFacts(std::size_t rows);
};

// Fills `facts` (all but half_square) and returns the first row with a NaN or an infinity, else the number
// of rows.
std::size_t measure_rows(MatrixView<const float> matrix, unsigned threads, RowFacts& facts);

// Adds the standardized rows (row - mean) / spread of some evenly spaced rows to centre, and returns how
// many.
std::size_t add_to_centre(MatrixView<const float> matrix, const RowFacts& facts, std::vector<double>& centre);

// The standardized rows less the centre, in float32, and facts.half_square of what was stored.
std::vector<float> standardized_rows(MatrixView<const float> matrix, const std::vector<double>& centre,
                                     unsigned threads, RowFacts& facts);

} // namespace morphobench
