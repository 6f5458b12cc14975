#pragma once

#include <cstdint>

#include "random.hpp"

namespace morphobench {

// A rectangle of an image, in pixels.
struct Window {
    std::int32_t top, left, height, width;
};

// How a crop is drawn: its share of the image's area, and its ratio width / height.
class CropLaw {
public:
    CropLaw(double scale_low, double scale_high, double ratio_low, double ratio_high);

    // As torchvision's RandomResizedCrop.get_params: area uniform in the scale, ratio log-uniform, ten tries,
    // then the largest central window of an allowed ratio. A scale of 1..1 is the whole image.
    // Uses blocks 0 .. 10 of the stream: a block a try (area, ratio), then one for the position.
    Window draw(std::int32_t height, std::int32_t width, const ViewStream& stream) const;

private:
    Window central(std::int32_t height, std::int32_t width) const;

    double scale_low_, scale_high_, ratio_low_, ratio_high_, log_ratio_low_, log_ratio_high_;
};

} // namespace morphobench
