#include "distances/pairwise.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "core/parallel_for.hpp"
#include "core/splitmix64.hpp"
#include "core/vector.hpp"

namespace morphobench {
namespace {

// Two tiles of rows of a chunk of columns stay in a core's second cache; the results of one in its first.
constexpr std::size_t tile_side = 48;
// Rows of b that stay in the first cache while all rows of the tile's a pass by.
constexpr std::size_t strip_rows = 3 * tile_rows;
// A float32 product of rows is off by up to 4e-7 of their half squares' sum; a difference below this share of
// that sum would be off by more than 3e-6 of itself.
constexpr double cancellation = 1.0 / 8;

// Above this the sum in braycurtis' denominator is too small beside the difference that it was made from.
constexpr double largest_braycurtis = 4;
constexpr double largest_lane_sum = std::numeric_limits<float>::max();

std::size_t index_of(Metric metric) { return static_cast<std::size_t>(metric); }

// A fixed, well mixed sequence of numbers; nothing here depends on its quality.
std::uint64_t mixed(std::uint64_t x) { return SplitMix64(x).next(); }

float float32_dot(const float* a, const float* b, std::size_t columns) {
    constexpr std::size_t lanes = 16;
    float sums[lanes] = {};
    for_lanes<lanes>(columns, [&](std::size_t k, std::size_t lane) { sums[lane] += a[k] * b[k]; });
    return std::accumulate(sums, sums + lanes, 0.0f);
}

double braycurtis_of_pair(const float* a, const float* b, std::size_t columns) {
    double difference = 0;
    double sum = 0;
    for (std::size_t k = 0; k < columns; ++k) {
        difference += std::fabs(static_cast<double>(a[k]) - static_cast<double>(b[k]));
        sum += std::fabs(static_cast<double>(a[k]) + static_cast<double>(b[k]));
    }
    return difference / sum;
}

} // namespace

CrossDistances::CrossDistances(MatrixView<const float> a, MatrixView<const float> b, bool needs_product,
                               unsigned threads)
    : a_{a}, b_{b}, absolute_sums_{absolute_sums()}, threads_{threads}, statistics_a_{a, threads, "a"},
      statistics_b_{b, threads, "b"} {
    if (!needs_product) return;
    // Any common centre cancels out of the distances; the mean makes the product's terms small.
    std::vector<double> centre(a_.columns);
    const std::size_t used =
        add_to_centre(a_, statistics_a_, centre) + add_to_centre(b_, statistics_b_, centre);
    for (double& value : centre)
        value /= static_cast<double>(used);
    unit_a_ = standardized_rows(a_, centre, threads_, statistics_a_);
    unit_b_ = standardized_rows(b_, centre, threads_, statistics_b_);
}

double CrossDistances::correlation_of_pair(std::size_t i, std::size_t j) const {
    return 0.5 * standardized_square(a_.row(i), statistics_a_.mean[i], statistics_a_.inverse_spread[i],
                                     b_.row(j), statistics_b_.mean[j], statistics_b_.inverse_spread[j],
                                     a_.columns);
}

void CrossDistances::from_product(PairTile tile, const float* product, std::size_t stride,
                                  const std::array<float*, metric_count>& out) const {
    std::array<double, tile_side> level, spread, level_share, spread_share, half_square, undefined, d, value;
    const std::size_t count = tile.column_count;
    for (std::size_t j = 0; j < count; ++j) {
        const std::size_t other = tile.columns[j];
        level[j] = statistics_b_.level[other];
        spread[j] = statistics_b_.spread[other];
        level_share[j] = statistics_b_.level_share[other];
        spread_share[j] = statistics_b_.spread_share[other];
        half_square[j] = statistics_b_.half_square[other];
        undefined[j] = statistics_b_.undefined[other];
    }
    float* const euclidean = out[index_of(Metric::euclidean)];
    float* const cosine = out[index_of(Metric::cosine)];
    float* const correlation = out[index_of(Metric::correlation)];
    for (std::size_t i = 0; i < tile.row_count; ++i) {
        const std::size_t row = tile.rows[i];
        const float* products = product + i * stride;
        for (std::size_t j = 0; j < count; ++j)
            d[j] = statistics_a_.half_square[row] + half_square[j] - static_cast<double>(products[j]);
        for (std::size_t j = 0; j < count; ++j)
            if (d[j] < cancellation * (statistics_a_.half_square[row] + half_square[j]))
                d[j] = correlation_of_pair(row, tile.columns[j]);
        if (euclidean) {
            for (std::size_t j = 0; j < count; ++j) {
                const double levels = statistics_a_.level[row] - level[j];
                const double spreads = statistics_a_.spread[row] - spread[j];
                value[j] =
                    levels * levels + spreads * spreads + 2 * statistics_a_.spread[row] * spread[j] * d[j];
            }
            for (std::size_t j = 0; j < count; ++j)
                euclidean[i * count + j] = static_cast<float>(std::sqrt(value[j]));
        }
        if (cosine)
            for (std::size_t j = 0; j < count; ++j) {
                const double levels = statistics_a_.level_share[row] - level_share[j];
                const double spreads = statistics_a_.spread_share[row] - spread_share[j];
                cosine[i * count + j] =
                    static_cast<float>(0.5 * (levels * levels + spreads * spreads) +
                                       statistics_a_.spread_share[row] * spread_share[j] * d[j]);
            }
        if (correlation)
            for (std::size_t j = 0; j < count; ++j)
                correlation[i * count + j] =
                    static_cast<float>(d[j] + statistics_a_.undefined[row] + undefined[j]);
    }
}

void CrossDistances::braycurtis(PairTile tile, float* out) const {
    // One tile's sums, 4 x 4 pairs together, as the kernels give them.
    constexpr std::size_t groups = tile_side / tile_rows;
    std::vector<double> sums(2 * tile_side * tile_side);
    double* const difference = sums.data();
    double* const sum = difference + tile_side * tile_side;
    const auto row_of = [](MatrixView<const float> matrix, const std::size_t* indices, std::size_t count,
                           std::size_t position) {
        return matrix.row(indices[std::min(position, count - 1)]);
    };
    for (std::size_t k = 0; k < a_.columns; k += chunk_columns) {
        const std::size_t columns = std::min(chunk_columns, a_.columns - k);
        for (std::size_t strip = 0; strip < tile.column_count; strip += strip_rows)
            for (std::size_t i = 0; i < tile.row_count; i += tile_rows) {
                const float* rows[tile_rows];
                for (std::size_t r = 0; r < tile_rows; ++r)
                    rows[r] = row_of(a_, tile.rows, tile.row_count, i + r) + k;
                for (std::size_t j = strip; j < std::min(strip + strip_rows, tile.column_count);
                     j += tile_rows) {
                    const float* others[tile_rows];
                    for (std::size_t r = 0; r < tile_rows; ++r)
                        others[r] = row_of(b_, tile.columns, tile.column_count, j + r) + k;
                    const std::size_t at = (i / tile_rows * groups + j / tile_rows) * tile_pairs;
                    absolute_sums_(rows, others, columns, difference + at, sum + at);
                }
            }
    }
    for (std::size_t i = 0; i < tile.row_count; ++i)
        for (std::size_t j = 0; j < tile.column_count; ++j) {
            const std::size_t at = (i / tile_rows * groups + j / tile_rows) * tile_pairs +
                                   i % tile_rows * tile_rows + j % tile_rows;
            double distance = difference[at] / sum[at];
            // Beyond the largest the sum is what rounding left of it; it is not a number where float32 lanes
            // overflowed.
            if (!(distance <= largest_braycurtis) || !(sum[at] <= largest_lane_sum))
                distance = braycurtis_of_pair(a_.row(tile.rows[i]), b_.row(tile.columns[j]), a_.columns);
            out[i * tile.column_count + j] = static_cast<float>(distance);
        }
}

void CrossDistances::tile_distances(PairTile tile, const float* product, std::size_t stride,
                                    const std::array<float*, metric_count>& out) const {
    if (product) from_product(tile, product, stride, out);
    if (float* const target = out[index_of(Metric::braycurtis)]) braycurtis(tile, target);
}

template <class Consume>
void CrossDistances::for_each_tile(PairBlock block, const float* product, MetricFlags wanted,
                                   Consume&& consume) const {
    const std::size_t width = block.column_end - block.column_begin;
    const std::size_t across = (width + tile_side - 1) / tile_side;
    const std::size_t down = (block.row_end - block.row_begin + tile_side - 1) / tile_side;
    parallel_for(across * down, 1, threads_, [&](std::size_t index, std::size_t) {
        const std::size_t top = block.row_begin + index / across * tile_side;
        const std::size_t left = block.column_begin + index % across * tile_side;
        std::array<std::size_t, tile_side> rows, columns;
        std::iota(rows.begin(), rows.end(), top);
        std::iota(columns.begin(), columns.end(), left);
        const PairTile tile{rows.data(), std::min(tile_side, block.row_end - top), columns.data(),
                            std::min(tile_side, block.column_end - left)};
        std::vector<float> values(metric_count * tile_side * tile_side);
        std::array<float*, metric_count> out{};
        for (std::size_t m = 0; m < metric_count; ++m)
            if (wanted[m]) out[m] = values.data() + m * tile_side * tile_side;
        const float* const corner =
            product ? product + (top - block.row_begin) * width + (left - block.column_begin) : nullptr;
        tile_distances(tile, corner, width, out);
        consume(tile, out);
    });
}

void CrossDistances::write(PairBlock block, const float* product, Metric metric, float* out) const {
    MetricFlags wanted{};
    wanted[index_of(metric)] = true;
    const std::size_t width = block.column_end - block.column_begin;
    for_each_tile(block, product, wanted, [&](PairTile tile, const std::array<float*, metric_count>& values) {
        for (std::size_t i = 0; i < tile.row_count; ++i)
            std::copy_n(values[index_of(metric)] + i * tile.column_count, tile.column_count,
                        out + (tile.rows[i] - block.row_begin) * width +
                            (tile.columns[0] - block.column_begin));
    });
}

void CrossDistances::search(PairBlock block, const float* product,
                            const std::array<MedianSearch*, metric_count>& searches) const {
    MetricFlags wanted{};
    for (std::size_t m = 0; m < metric_count; ++m)
        wanted[m] = searches[m] != nullptr;
    for_each_tile(block, product, wanted, [&](PairTile tile, const std::array<float*, metric_count>& values) {
        for (std::size_t m = 0; m < metric_count; ++m)
            if (searches[m]) searches[m]->add(values[m], tile.row_count * tile.column_count);
    });
}

std::array<std::vector<float>, metric_count> CrossDistances::sample(std::size_t tiles,
                                                                    MetricFlags wanted) const {
    std::array<std::vector<float>, metric_count> values;
    for (std::size_t m = 0; m < metric_count; ++m)
        if (wanted[m]) values[m].resize(tiles * tile_pairs);
    parallel_for(tiles, 4, threads_, [&](std::size_t begin, std::size_t end) {
        for (std::size_t t = begin; t < end; ++t) {
            std::array<std::size_t, tile_rows> rows, columns;
            std::array<float, tile_pairs> product{};
            for (std::size_t r = 0; r < tile_rows; ++r) {
                rows[r] = static_cast<std::size_t>(mixed(2 * (t * tile_rows + r)) % a_.rows);
                columns[r] = static_cast<std::size_t>(mixed(2 * (t * tile_rows + r) + 1) % b_.rows);
            }
            if (!unit_a_.empty())
                for (std::size_t p = 0; p < tile_pairs; ++p)
                    product[p] =
                        float32_dot(unit_a_.data() + rows[p / tile_rows] * a_.columns,
                                    unit_b_.data() + columns[p % tile_rows] * a_.columns, a_.columns);
            std::array<float*, metric_count> out{};
            for (std::size_t m = 0; m < metric_count; ++m)
                if (wanted[m]) out[m] = values[m].data() + t * tile_pairs;
            tile_distances({rows.data(), tile_rows, columns.data(), tile_rows},
                           unit_a_.empty() ? nullptr : product.data(), tile_rows, out);
        }
    });
    return values;
}

} // namespace morphobench
