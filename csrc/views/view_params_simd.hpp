#pragma once

#include <cstddef>
#include <cstdint>

#include "core/philox.hpp"
#include "views/view_distribution.hpp"

namespace morphobench {

// SIMD version of ViewDistribution::sample for 16 images, bit-identical. `fits` is 0 for an image whose first
// crop is rejected: the scalar sampler must draw that one.
struct ViewParamsLanes {
    static constexpr std::size_t count = 16;

    std::uint32_t image_low[count], image_high[count]; // in: the halves of the images' ids
    std::int32_t top[count], left[count], height[count], width[count], flip[count], fits[count];
    float blur_sigma[count];

    void sample(const ViewDistribution& distribution, std::int32_t image_height, std::int32_t image_width,
                std::uint64_t seed, std::uint32_t epoch, std::uint16_t view);
};

} // namespace morphobench
