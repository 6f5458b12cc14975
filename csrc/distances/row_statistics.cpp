#include "distances/row_statistics.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "core/parallel_for.hpp"

namespace morphobench {
namespace {

constexpr std::size_t lanes = 8;
constexpr std::size_t rows_per_task = 16;
constexpr std::size_t centre_rows = 256;

// Sum over k of term(k), in a fixed order whatever vectors the compiler uses.
template <class Term>
double sum_of(std::size_t count, Term&& term) {
    double lane[lanes] = {};
    std::size_t k = 0;
    for (; k + lanes <= count; k += lanes)
        for (std::size_t l = 0; l < lanes; ++l)
            lane[l] += term(k + l);
    for (std::size_t l = 0; k < count; ++k, ++l)
        lane[l] += term(k);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

} // namespace

RowFacts::RowFacts(std::size_t rows)
    : mean(rows), level(rows), spread(rows), inverse_spread(rows), level_share(rows), spread_share(rows),
      undefined(rows), half_square(rows) {}

std::size_t measure_rows(MatrixView<const float> matrix, unsigned threads, RowFacts& facts) {
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
            const double mean = constant ? static_cast<double>(row[0]) : sum / static_cast<double>(columns);
            const double square = sum_of(columns, [row, mean](std::size_t k) {
                const double deviation = static_cast<double>(row[k]) - mean;
                return deviation * deviation;
            });
            const double level = std::sqrt(static_cast<double>(columns)) * mean;
            const double spread = constant ? 0 : std::sqrt(square);
            const double norm = std::hypot(level, spread);
            facts.mean[i] = mean;
            facts.level[i] = level;
            facts.spread[i] = spread;
            facts.inverse_spread[i] = constant ? 0 : 1 / spread;
            facts.level_share[i] = norm > 0 ? level / norm : nan;
            facts.spread_share[i] = norm > 0 ? spread / norm : nan;
            facts.undefined[i] = constant ? nan : 0;
        }
    });
    return nonfinite.load();
}

std::size_t add_to_centre(MatrixView<const float> matrix, const RowFacts& facts,
                          std::vector<double>& centre) {
    const std::size_t step = (matrix.rows + centre_rows - 1) / centre_rows;
    std::size_t used = 0;
    for (std::size_t i = 0; i < matrix.rows; i += step, ++used) {
        const float* row = matrix.row(i);
        const double mean = facts.mean[i];
        const double scale = facts.inverse_spread[i];
        for (std::size_t k = 0; k < matrix.columns; ++k)
            centre[k] += (static_cast<double>(row[k]) - mean) * scale;
    }
    return used;
}

std::vector<float> standardized_rows(MatrixView<const float> matrix, const std::vector<double>& centre,
                                     unsigned threads, RowFacts& facts) {
    std::vector<float> units(matrix.rows * matrix.columns);
    parallel_for(matrix.rows, rows_per_task, threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const float* row = matrix.row(i);
            float* unit = units.data() + i * matrix.columns;
            const double mean = facts.mean[i];
            const double scale = facts.inverse_spread[i];
            for (std::size_t k = 0; k < matrix.columns; ++k)
                unit[k] = static_cast<float>((static_cast<double>(row[k]) - mean) * scale - centre[k]);
            facts.half_square[i] = 0.5 * sum_of(matrix.columns, [unit](std::size_t k) {
                                       return static_cast<double>(unit[k]) * static_cast<double>(unit[k]);
                                   });
        }
    });
    return units;
}

} // namespace morphobench
