#pragma once

#include <cstddef>
#include <cstdint>

#include "core/philox.hpp"
#include "views/view_distribution.hpp"

namespace morphobench {

// The draws of one view for some images at once, for the compiler to use vectors: the very numbers of
// ViewLaw::draw, whose common course this is. An image whose first try at a crop does not fit its image is
// left to that.
struct DrawLanes {
    static constexpr std::size_t count = 16;

    std::uint32_t image_low[count], image_high[count]; // in: the halves of the images' ids
    std::int32_t top[count], left[count], height[count], width[count], flip[count], fits[count];
    float blur_sigma[count];

    void draw(const ViewLaw& law, std::int32_t image_height, std::int32_t image_width, std::uint64_t seed,
              std::uint32_t epoch, std::uint16_t view);
};

} // namespace morphobench
