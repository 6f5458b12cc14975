#include "views/crop_sampler.hpp"

#include <cmath>

namespace morphobench {

CropSampler::CropSampler(double scale_low, double scale_high, double ratio_low, double ratio_high)
    : scale_low_{scale_low}, scale_high_{scale_high}, ratio_low_{ratio_low}, ratio_high_{ratio_high},
      log_ratio_low_{portable_log(ratio_low)}, log_ratio_high_{portable_log(ratio_high)} {}

Window CropSampler::sample(std::int32_t height, std::int32_t width, const ViewStream& stream) const {
    if (whole()) return {0, 0, height, width};
    for (std::uint16_t attempt = 0; attempt < tries; ++attempt) {
        const RandomBlock block = stream.block(attempt);
        const auto [h, w] = sides(height, width, block.uniform53(0), block.uniform53(1));
        if (w < 1.0 || h < 1.0 || w > width || h > height) continue;
        Window window{0, 0, static_cast<std::int32_t>(h), static_cast<std::int32_t>(w)};
        const RandomBlock position = stream.block(position_block);
        window.top = position.below(0, height - window.height + 1);
        window.left = position.below(1, width - window.width + 1);
        return window;
    }
    return central(height, width);
}

Window CropSampler::central(std::int32_t height, std::int32_t width) const {
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
