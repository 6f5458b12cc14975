#include "crop_sampler.hpp"

#include <cmath>

#include "portable_math.hpp"

namespace morphobench {

namespace {

constexpr std::uint16_t tries = 10;
constexpr std::uint16_t position_block = tries;

} // namespace

CropLaw::CropLaw(double scale_low, double scale_high, double ratio_low, double ratio_high)
    : scale_low_{scale_low}, scale_high_{scale_high}, ratio_low_{ratio_low}, ratio_high_{ratio_high},
      log_ratio_low_{portable_log(ratio_low)}, log_ratio_high_{portable_log(ratio_high)} {}

Window CropLaw::draw(std::int32_t height, std::int32_t width, const ViewStream& stream) const {
    if (scale_low_ == 1.0 && scale_high_ == 1.0) return {0, 0, height, width};
    const double area = static_cast<double>(height) * width;
    for (std::uint16_t attempt = 0; attempt < tries; ++attempt) {
        const RandomBlock block = stream.block(attempt);
        const double target = area * (scale_low_ + (scale_high_ - scale_low_) * block.uniform53(0));
        const double ratio =
            portable_exp(log_ratio_low_ + (log_ratio_high_ - log_ratio_low_) * block.uniform53(1));
        // nearbyint rounds halves to even, as Python's round does
        const double w = std::nearbyint(std::sqrt(target * ratio));
        const double h = std::nearbyint(std::sqrt(target / ratio));
        if (w < 1.0 || h < 1.0 || w > width || h > height) continue;
        Window window{0, 0, static_cast<std::int32_t>(h), static_cast<std::int32_t>(w)};
        const RandomBlock position = stream.block(position_block);
        window.top = position.below(0, height - window.height + 1);
        window.left = position.below(1, width - window.width + 1);
        return window;
    }
    return central(height, width);
}

Window CropLaw::central(std::int32_t height, std::int32_t width) const {
    const double ratio = static_cast<double>(width) / height;
    Window window{0, 0, height, width};
    if (ratio < ratio_low_)
        window.height = static_cast<std::int32_t>(std::nearbyint(width / ratio_low_));
    else if (ratio > ratio_high_)
        window.width = static_cast<std::int32_t>(std::nearbyint(height * ratio_high_));
    // A ratio bound far from 1 can round a side to nothing, which torchvision would then fail to resize.
    window.height = window.height < 1 ? 1 : window.height;
    window.width = window.width < 1 ? 1 : window.width;
    window.top = (height - window.height) / 2;
    window.left = (width - window.width) / 2;
    return window;
}

} // namespace morphobench
