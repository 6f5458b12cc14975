#include "view_law.hpp"

namespace morphobench {

namespace {

// Blocks of the stream after those of the crop; a purpose keeps its number for good.
constexpr std::uint16_t flip_and_blur_block = 16;

} // namespace

ViewDraw ViewLaw::draw(std::int32_t height, std::int32_t width, const ViewStream& stream) const {
    ViewDraw drawn{crop.draw(height, width, stream), false, 0.0f};
    const RandomBlock block = stream.block(flip_and_blur_block);
    drawn.flip = block.uniform32(0) < flip_probability;
    if (block.uniform32(1) < blur_probability)
        drawn.blur_sigma = static_cast<float>(sigma_low + (sigma_high - sigma_low) * block.uniform32(2));
    return drawn;
}

} // namespace morphobench
