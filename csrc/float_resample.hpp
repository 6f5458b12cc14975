#pragma once

#include <cstdint>
#include <vector>

#include "views.hpp"

namespace morphobench {

// One axis of a bilinear, antialiased resize in float32, as torch's interpolate(mode="bilinear",
// antialias=True, align_corners=False) computes its weights.
struct FloatAxisTable {
    FloatAxisTable(std::int32_t in, std::int32_t out);

    std::int32_t in, out, taps;
    std::vector<std::int32_t> first; // (out)
    std::vector<float> weights;      // (out, taps), padded with zeros
};

// Resizes `window` to the tables' sizes, rows first; `between` is scratch.
void float_resample(PlaneView<const float> window, const FloatAxisTable& horizontal,
                    const FloatAxisTable& vertical, std::vector<float>& between, PlaneView<float> out);

} // namespace morphobench
