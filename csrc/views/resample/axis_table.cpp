#include "views/resample/axis_table.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace morphobench {

namespace {

struct Taps {
    std::int32_t first;
    std::vector<std::int32_t> weights;
};

// Where output `o` reads, and how much of each: Pillow's precompute_coeffs with the bilinear filter, without
// the taps at either end whose weight rounds to nothing.
Taps taps_of(std::int32_t in, std::int32_t out, std::int32_t o) {
    const double scale = static_cast<double>(in) / out;
    const double filter_scale = scale < 1.0 ? 1.0 : scale;
    const double inverse = 1.0 / filter_scale;
    const double center = (o + 0.5) * scale;
    const auto low = static_cast<std::int32_t>(center - filter_scale + 0.5);
    const auto high = static_cast<std::int32_t>(center + filter_scale + 0.5);
    Taps taps{low < 0 ? 0 : low, {}};
    const std::int32_t end = high > in ? in : high;

    std::vector<double> weights;
    double sum = 0.0;
    for (std::int32_t x = taps.first; x < end; ++x) {
        const double distance = std::fabs((x - center + 0.5) * inverse);
        weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
        sum += weights.back();
    }
    for (double weight : weights) {
        if (sum != 0.0) weight /= sum;
        taps.weights.push_back(static_cast<std::int32_t>(0.5 + weight * (1 << weight_bits)));
    }
    while (taps.weights.size() > 1 && taps.weights.back() == 0)
        taps.weights.pop_back();
    while (taps.weights.size() > 1 && taps.weights.front() == 0) {
        taps.weights.erase(taps.weights.begin());
        ++taps.first;
    }
    return taps;
}

} // namespace

AxisTable::AxisTable(std::int32_t in_size, std::int32_t out_size, bool reversed)
    : in{in_size}, out{out_size}, identity{in_size == out_size && !reversed}, taps{1} {
    std::vector<Taps> rows;
    for (std::int32_t o = 0; o < out; ++o) {
        rows.push_back(taps_of(in, out, reversed ? out - 1 - o : o));
        taps = std::max(taps, static_cast<std::int32_t>(rows.back().weights.size()));
    }
    const auto width = static_cast<std::size_t>(taps);
    weights.assign(rows.size() * width, 0);
    for (std::size_t o = 0; o < rows.size(); ++o) {
        // Near the far edge the padding goes in front, so that no tap lies outside the image.
        const std::int32_t shift = std::max(0, rows[o].first + taps - in);
        first.push_back(rows[o].first - shift);
        std::copy(rows[o].weights.begin(), rows[o].weights.end(),
                  weights.begin() + static_cast<std::ptrdiff_t>(o * width) + shift);
    }
    two = TwoTaps(*this);
    if (!two.usable) {
        horizontal_pairs = PairedTaps(*this, true);
        vertical_pairs = PairedTaps(*this, false);
        horizontal_quads = HorizontalQuads(*this);
        vertical_quads = VerticalQuads(*this, false);
        aligned_vertical_quads = VerticalQuads(*this, true);
    }
}

std::size_t AxisTable::bytes() const {
    return sizeof *this + (first.size() + weights.size()) * sizeof(std::int32_t) + two.bytes() +
           horizontal_pairs.bytes() + vertical_pairs.bytes() + horizontal_quads.bytes() +
           vertical_quads.bytes() + aligned_vertical_quads.bytes();
}

namespace {

constexpr std::size_t most_bytes = 32u << 20;

struct Shared {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::shared_ptr<const AxisTable>> tables;
    std::size_t bytes = 0;
};

Shared& shared() {
    static Shared one;
    return one;
}

} // namespace

AxisTables::AxisTables() : lock_{shared().mutex} {}

std::shared_ptr<const AxisTable> AxisTables::get(std::int32_t in, std::int32_t out, bool reversed) {
    auto& [mutex, tables, bytes] = shared();
    const std::uint64_t key = (std::uint64_t{static_cast<std::uint32_t>(in)} << 32) |
                              (std::uint64_t{static_cast<std::uint32_t>(out)} << 1) | (reversed ? 1 : 0);
    const auto found = tables.find(key);
    if (found != tables.end()) return found->second;
    const auto table = std::make_shared<const AxisTable>(in, out, reversed);
    if (bytes + table->bytes() > most_bytes) {
        tables.clear();
        bytes = 0;
    }
    bytes += table->bytes();
    return tables[key] = table;
}

} // namespace morphobench
