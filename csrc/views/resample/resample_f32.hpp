#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/array_view.hpp"

namespace morphobench {

// One axis of a bilinear, antialiased resize in float32, as torch's interpolate(mode="bilinear",
// antialias=True, align_corners=False) computes its weights. `reversed` stores the outputs last to first.
struct AxisTableF32 {
    AxisTableF32(std::int32_t in, std::int32_t out, bool reversed = false);

    std::int32_t in, out, taps;
    std::vector<std::int32_t> first; // (out)
    std::vector<float> weights;      // (out, taps), padded with zeros
};

// What AxisTables is for AxisTable; these are quickly made, and not kept.
struct AxisTablesF32 {
    std::shared_ptr<const AxisTableF32> get(std::int32_t in, std::int32_t out, bool reversed) const {
        return std::make_shared<const AxisTableF32>(in, out, reversed);
    }
};

// Resizes `window` to the tables' sizes, rows first.
void resample_f32(PlaneView<const float> window, const AxisTableF32& horizontal, const AxisTableF32& vertical,
                  std::vector<float>& scratch, PlaneView<float> out);

} // namespace morphobench
