#pragma once

#include <cmath>
#include <cstdint>

#include "core/philox.hpp"
#include "core/portable_math.hpp"
#include "core/vector.hpp"

namespace morphobench {

// A rectangle of an image, in pixels.
struct Window {
    std::int32_t top, left, height, width;
};

// How a crop is drawn: its share of the image's area, and its ratio width / height.
class CropSampler {
public:
    CropSampler(double scale_low, double scale_high, double ratio_low, double ratio_high);

    // As torchvision's RandomResizedCrop.get_params: area uniform in the scale, ratio log-uniform, ten tries,
    // then the largest central window of an allowed ratio. A scale of 1..1 is the whole image.
    // Uses blocks 0 .. 10 of the stream: a block a try (area, ratio), then one for the position.
    Window sample(std::int32_t height, std::int32_t width, const ViewStream& stream) const;

    bool whole() const { return scale_low_ == 1.0 && scale_high_ == 1.0; }

    // The sides of one try, rounded to pixels, from two numbers uniform in [0, 1).
    struct Sides {
        double height, width;
    };
    MORPHOBENCH_INLINE Sides sides(std::int32_t height, std::int32_t width, double first,
                                   double second) const {
        const double area = static_cast<double>(height) * width;
        const double target = area * (scale_low_ + (scale_high_ - scale_low_) * first);
        const double ratio = portable_exp(log_ratio_low_ + (log_ratio_high_ - log_ratio_low_) * second);
        // Halves round to even, as Python's round does.
        return {round_to_even(std::sqrt(target / ratio)), round_to_even(std::sqrt(target * ratio))};
    }

    static constexpr std::uint16_t tries = 10;
    static constexpr std::uint16_t position_block = tries;

private:
    Window central(std::int32_t height, std::int32_t width) const;

    double scale_low_, scale_high_, ratio_low_, ratio_high_, log_ratio_low_, log_ratio_high_;
};

} // namespace morphobench
