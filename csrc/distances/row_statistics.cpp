#include "distances/row_statistics.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/parallel_for.hpp"
#include "core/vector.hpp"

namespace morphobench {
namespace {

constexpr std::size_t rows_per_task = 16;
constexpr std::size_t centre_rows = 256;

// Sum over k of term(k), in a fixed order whatever vectors the compiler uses.
template <class Term>
double sum_of(std::size_t count, Term&& term) {
    double sums[8] = {};
    for_lanes<8>(count, [&](std::size_t k, std::size_t lane) { sums[lane] += term(k); });
    return sum_of_lanes(sums);
}

} // namespace

RowStatistics::RowStatistics(MatrixView<const float> matrix, unsigned threads, const char* name)
    : mean(matrix.rows), level(matrix.rows), spread(matrix.rows), inverse_spread(matrix.rows),
      level_share(matrix.rows), spread_share(matrix.rows), undefined(matrix.rows), half_square(matrix.rows) {
    const std::size_t columns = matrix.columns;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    std::atomic<std::size_t> nonfinite{matrix.rows};
    parallel_for(matrix.rows, rows_per_task, threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const float* row = matrix.row(i);
            // A float64 cannot overflow here, so the sum is finite if and only if every value is.
            const double sum = sum_of(columns, [row](std::size_t k) { return static_cast<double>(row[k]); });
            if (!std::isfinite(sum)) {
                std::size_t first = nonfinite.load();
                while (i < first && !nonfinite.compare_exchange_weak(first, i)) {
                }
                continue;
            }
            const bool constant = std::all_of(row, row + columns, [row](float x) { return x == row[0]; });
            const double row_mean =
                constant ? static_cast<double>(row[0]) : sum / static_cast<double>(columns);
            const double square = sum_of(columns, [row, row_mean](std::size_t k) {
                const double deviation = static_cast<double>(row[k]) - row_mean;
                return deviation * deviation;
            });
            const double row_level = std::sqrt(static_cast<double>(columns)) * row_mean;
            const double row_spread = constant ? 0 : std::sqrt(square);
            const double norm = std::hypot(row_level, row_spread);
            mean[i] = row_mean;
            level[i] = row_level;
            spread[i] = row_spread;
            inverse_spread[i] = constant ? 0 : 1 / row_spread;
            level_share[i] = norm > 0 ? row_level / norm : nan;
            spread_share[i] = norm > 0 ? row_spread / norm : nan;
            undefined[i] = constant ? nan : 0;
        }
    });
    if (nonfinite.load() < matrix.rows)
        throw std::invalid_argument(std::string(name) +
                                    " must hold finite float32 values, got a NaN or an infinity in row " +
                                    std::to_string(nonfinite.load()));
}

std::size_t add_to_centre(MatrixView<const float> matrix, const RowStatistics& statistics,
                          std::vector<double>& centre) {
    const std::size_t step = (matrix.rows + centre_rows - 1) / centre_rows;
    std::size_t used = 0;
    for (std::size_t i = 0; i < matrix.rows; i += step, ++used) {
        const float* row = matrix.row(i);
        const double mean = statistics.mean[i];
        const double scale = statistics.inverse_spread[i];
        for (std::size_t k = 0; k < matrix.columns; ++k)
            centre[k] += (static_cast<double>(row[k]) - mean) * scale;
    }
    return used;
}

std::vector<float> standardized_rows(MatrixView<const float> matrix, const std::vector<double>& centre,
                                     unsigned threads, RowStatistics& statistics) {
    std::vector<float> units(matrix.rows * matrix.columns);
    parallel_for(matrix.rows, rows_per_task, threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const float* row = matrix.row(i);
            float* unit = units.data() + i * matrix.columns;
            const double mean = statistics.mean[i];
            const double scale = statistics.inverse_spread[i];
            for (std::size_t k = 0; k < matrix.columns; ++k)
                unit[k] = static_cast<float>((static_cast<double>(row[k]) - mean) * scale - centre[k]);
            statistics.half_square[i] =
                0.5 * sum_of(matrix.columns, [unit](std::size_t k) {
                    return static_cast<double>(unit[k]) * static_cast<double>(unit[k]);
                });
        }
    });
    return units;
}

} // namespace morphobench
