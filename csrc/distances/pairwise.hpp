#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "core/array_view.hpp"
#include "distances/kernels.hpp"
#include "distances/median_search.hpp"
#include "distances/row_statistics.hpp"

namespace morphobench {

enum class Metric : std::size_t { euclidean, cosine, correlation, braycurtis };
constexpr std::size_t metric_count = 4;

// Rows [row_begin, row_end) of a against rows [column_begin, column_end) of b.
struct PairBlock {
    std::size_t row_begin, row_end, column_begin, column_end;
};

// Rows of a against rows of b, both by index.
struct PairTile {
    const std::size_t* rows;
    std::size_t row_count;
    const std::size_t* columns;
    std::size_t column_count;
};

using MetricFlags = std::array<bool, metric_count>;

// All distances between the rows of two matrices, tile by tile. The product of the standardized rows comes
// from outside (that is what a BLAS is for); where it cancels, the pair is computed again from the rows.
class CrossDistances {
public:
    // Throws std::invalid_argument, naming the first such row, if a value is a NaN or an infinity.
    CrossDistances(MatrixView<const float> a, MatrixView<const float> b, bool needs_product,
                   unsigned threads);

    // Rows less their mean, of length one, less a centre common to all rows of both; empty without product.
    MatrixView<const float> standardized_a() const {
        return {unit_a_.data(), unit_a_.size() / columns(), columns()};
    }
    MatrixView<const float> standardized_b() const {
        return {unit_b_.data(), unit_b_.size() / columns(), columns()};
    }

    std::size_t rows() const { return a_.rows; }
    std::size_t other_rows() const { return b_.rows; }
    std::size_t columns() const { return a_.columns; }

    // Writes the block's distances, row by row, to `out`. `product` holds standardized_a . standardized_b^T
    // of the block; braycurtis does without.
    void write(PairBlock block, const float* product, Metric metric, float* out) const;
    // Adds the block's distances to one search per metric; null where a metric is not wanted.
    void search(PairBlock block, const float* product,
                const std::array<MedianSearch*, metric_count>& searches) const;
    // Distances of `tiles` times sixteen pairs of random rows, to guess where the medians lie.
    std::array<std::vector<float>, metric_count> sample(std::size_t tiles, MetricFlags wanted) const;

private:
    template <class Consume>
    void for_each_tile(PairBlock block, const float* product, MetricFlags wanted, Consume&& consume) const;
    void tile_distances(PairTile tile, const float* product, std::size_t stride,
                        const std::array<float*, metric_count>& out) const;
    void from_product(PairTile tile, const float* product, std::size_t stride,
                      const std::array<float*, metric_count>& out) const;
    void braycurtis(PairTile tile, float* out) const;
    double correlation_of_pair(std::size_t i, std::size_t j) const;

    MatrixView<const float> a_, b_;
    AbsoluteSums absolute_sums_;
    unsigned threads_;
    RowStatistics statistics_a_, statistics_b_;
    std::vector<float> unit_a_, unit_b_;
};

} // namespace morphobench
