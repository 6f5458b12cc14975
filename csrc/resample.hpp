#pragma once

#include <cstdint>
#include <vector>

#include "resample_table.hpp"
#include "simd.hpp"
#include "views.hpp"

namespace morphobench {

// Resizes a window of an image, bilinear and antialiased, to exactly the pixels of Pillow 13 (mode L). The
// tables say from and to which size, and whether mirrored; `between` is scratch for the image after one pass.
void resample(PlaneView<const std::uint8_t> window, const AxisTable& horizontal, const AxisTable& vertical,
              const Kernels& use, std::vector<std::uint8_t>& between, PlaneView<std::uint8_t> out);

} // namespace morphobench
