#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "views/resample/fixed_point_taps.hpp"

namespace morphobench {

// Pillow's fixed point for 8-bit pixels: weights are multiples of 2^-22.
constexpr int weight_bits = 22;
constexpr std::int32_t weight_half = 1 << (weight_bits - 1);

// One axis of a bilinear, antialiased resize from `in` to `out` pixels, in the fixed point of Pillow's
// Resample.c, whose arithmetic in double this follows operation by operation (hence -ffp-contract=off).
// Output o is (sum over t of pixel[first[o] + t] * weights[o * taps + t] + half) >> 22.
// `reversed` stores the outputs last to first, which makes a flip free.
struct AxisTable {
    AxisTable(std::int32_t in, std::int32_t out, bool reversed);
    const std::int32_t* weights_of(std::int32_t o) const {
        return weights.data() + static_cast<std::size_t>(o) * static_cast<std::size_t>(taps);
    }
    std::size_t bytes() const;

    std::int32_t in, out;
    bool identity;                     // in == out and not reversed: the pass changes nothing
    std::int32_t taps;                 // the most that any output has
    std::vector<std::int32_t> first;   // (out), with first[o] + taps <= in wherever in >= taps
    std::vector<std::int32_t> weights; // (out, taps), padded with zeros

    TwoTaps two;                          // the same as digits, of either axis
    PairedTaps horizontal_pairs;          // where `two` has no form: pairs of neighbours, from an even one
    PairedTaps vertical_pairs;            // ... from any one
    HorizontalQuads horizontal_quads;     // ... and fours of neighbours
    VerticalQuads vertical_quads;         // ... from any one
    VerticalQuads aligned_vertical_quads; // ... from multiples of four
};

// Thread-safe cache of axis tables (32 MiB, cleared when full); it is locked while an AxisTables lives.
// Tables in use stay alive with those who hold them.
class AxisTables {
public:
    AxisTables();

    std::shared_ptr<const AxisTable> get(std::int32_t in, std::int32_t out, bool reversed);

private:
    std::lock_guard<std::mutex> lock_;
};

} // namespace morphobench
