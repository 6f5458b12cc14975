#pragma once

#include <cstddef>
#include <cstdint>

#include "core/philox.hpp"
#include "views/crop_sampler.hpp"

namespace morphobench {

// The parameters of one view of one image; blur_sigma 0 means no blur, noise_sigma 0 no noise.
struct ViewParams {
    Window window;
    bool flip;
    float blur_sigma;
    bool flip_vertical;
    std::uint8_t quarter_turns; // counter-clockwise, 0 .. 3
    float noise_sigma;
    std::uint64_t noise_key; // of the generator of the noise
};

// What the brightness and the contrast of one channel are multiplied by.
struct Jitter {
    float brightness, contrast;
};

// The distribution that the views of one group are drawn from. Each draw uses its own blocks of random
// numbers.
struct ViewDistribution {
    CropSampler crop;
    double flip_probability;
    double blur_probability;
    double sigma_low, sigma_high;
    double flip_vertical_probability;
    bool quarter_turns; // each of the four as likely
    double noise_probability;
    double noise_low, noise_high;
    double brightness, contrast; // factors uniform in 1 - x .. 1 + x, not below 0

    // Blocks of the stream after those of the crop. A purpose keeps its number for good: a new one must not
    // change what an old seed draws.
    static constexpr std::uint16_t flip_and_blur_block = 16;
    static constexpr std::uint16_t orientation_block = 17;
    static constexpr std::uint16_t noise_block = 18;
    static constexpr std::uint16_t noise_key_block = 19;
    static constexpr std::uint16_t first_channel_block = 32;

    ViewParams sample(std::int32_t height, std::int32_t width, const ViewStream& stream) const;
    // From numbers uniform in [0, 1): whether flipped, and the sigma of the blur, 0 for none.
    MORPHOBENCH_INLINE bool flips(double chance) const { return chance < flip_probability; }
    MORPHOBENCH_INLINE float blur_of(double chance, double place) const {
        const auto sigma = static_cast<float>(sigma_low + (sigma_high - sigma_low) * place);
        return chance < blur_probability ? sigma : 0.0f;
    }
    // The part of it that comes after the blur.
    void sample_rest(const ViewStream& stream, ViewParams& drawn) const;
    Jitter jitter(std::uint16_t channel, const ViewStream& stream) const;
};

} // namespace morphobench
