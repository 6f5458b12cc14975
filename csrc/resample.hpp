#pragma once

#include <cstdint>
#include <vector>

#include "resample_table.hpp"
#include "simd.hpp"
#include "views.hpp"

namespace morphobench {

// What a thread keeps from one resize to the next.
struct ResampleScratch {
    std::vector<std::uint8_t> copied, between;
};

// Resizes a window of an image, bilinear and antialiased, to exactly the pixels of Pillow 13 (mode L). The
// tables say from and to which size, and whether mirrored. The rows of `out` have room for whole blocks.
void resample(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
              const AxisTable& vertical, const Kernels& use, ResampleScratch& scratch,
              const PlaneView<std::uint8_t>& out);

} // namespace morphobench
