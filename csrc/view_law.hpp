#pragma once

#include <cstddef>
#include <cstdint>

#include "crop_sampler.hpp"
#include "random.hpp"

namespace morphobench {

// What one view of one image is made with; blur_sigma 0 means no blur.
struct ViewDraw {
    Window window;
    bool flip;
    float blur_sigma;
};

// The law that the views of one group are drawn by.
struct ViewLaw {
    CropLaw crop;
    double flip_probability;
    double blur_probability;
    double sigma_low, sigma_high;

    ViewDraw draw(std::int32_t height, std::int32_t width, const ViewStream& stream) const;
};

} // namespace morphobench
