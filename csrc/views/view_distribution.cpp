#include "views/view_distribution.hpp"

namespace morphobench {

namespace {

float between(double low, double high, double uniform) {
    return static_cast<float>(low + (high - low) * uniform);
}

float factor(double spread, double uniform) {
    return spread > 0.0 ? between(spread < 1.0 ? 1.0 - spread : 0.0, 1.0 + spread, uniform) : 1.0f;
}

} // namespace

ViewParams ViewDistribution::sample(std::int32_t height, std::int32_t width, const ViewStream& stream) const {
    ViewParams drawn{};
    drawn.window = crop.sample(height, width, stream);
    const RandomBlock block = stream.block(flip_and_blur_block);
    drawn.flip = flips(block.uniform32(0));
    drawn.blur_sigma = blur_of(block.uniform32(1), block.uniform32(2));
    sample_rest(stream, drawn);
    return drawn;
}

void ViewDistribution::sample_rest(const ViewStream& stream, ViewParams& drawn) const {
    if (flip_vertical_probability > 0.0 || quarter_turns) {
        const RandomBlock orientation = stream.block(orientation_block);
        drawn.flip_vertical = orientation.uniform32(0) < flip_vertical_probability;
        drawn.quarter_turns = static_cast<std::uint8_t>(quarter_turns ? orientation.below(1, 4) : 0);
    }
    if (noise_probability > 0.0) {
        const RandomBlock noise = stream.block(noise_block);
        if (noise.uniform32(0) < noise_probability)
            drawn.noise_sigma = between(noise_low, noise_high, noise.uniform32(1));
        const RandomBlock key = stream.block(noise_key_block);
        drawn.noise_key = (std::uint64_t{key.words[1]} << 32) | key.words[0];
    }
}

Jitter ViewDistribution::jitter(std::uint16_t channel, const ViewStream& stream) const {
    const RandomBlock block = stream.block(static_cast<std::uint16_t>(first_channel_block + channel));
    return {factor(brightness, block.uniform32(0)), factor(contrast, block.uniform32(1))};
}

} // namespace morphobench
