#include "views/photometric.hpp"

#include <algorithm>

#include "core/philox.hpp"
#include "core/portable_math.hpp"
#include "core/vector.hpp"
#include "dispatch/at_level.hpp"

namespace morphobench {

namespace {

MORPHOBENCH_INLINE float cut(float value) { return value < 0.0f ? 0.0f : (value > 1.0f ? 1.0f : value); }

MORPHOBENCH_INLINE double sum_of(const float* pixels, std::size_t count) {
    double sums[8] = {};
    for_lanes<8>(count,
                 [&](std::size_t i, std::size_t lane) { sums[lane] += static_cast<double>(pixels[i]); });
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

MORPHOBENCH_INLINE void scale_and_cut(float* pixels, std::size_t count, float factor, float offset) {
    for (std::size_t i = 0; i < count; ++i)
        pixels[i] = cut(pixels[i] * factor + offset);
}

// Pixels that get their noise together: four for each counter of the generator.
constexpr std::size_t noise_block = 64;

// Standard normal numbers of the counters from `first` on.
MORPHOBENCH_INLINE void normal_block(std::uint32_t first, std::uint32_t channel, PhiloxKey key,
                                     double* normal) {
    std::uint32_t words[4][noise_block / 4];
    for (std::uint32_t i = 0; i < noise_block / 4; ++i) {
        const PhiloxCounter random = philox4x32({first + i, channel, 0, 0}, key);
        for (std::size_t j = 0; j < 4; ++j)
            words[j][i] = random[j];
    }
    double share[noise_block];
    for (std::size_t i = 0; i < noise_block; ++i)
        share[i] = (words[i % 4][i / 4] + 0.5) * 0x1p-32;
    for (std::size_t i = 0; i < noise_block; ++i)
        normal[i] = normal_quantile_middle(share[i]);
    for (std::size_t i = 0; i < noise_block; ++i)
        if (!in_normal_middle(share[i])) normal[i] = normal_quantile_tail(share[i]);
}

MORPHOBENCH_INLINE void shift_and_scale(float* pixels, std::size_t count, float mean, float deviation) {
    for (std::size_t i = 0; i < count; ++i)
        pixels[i] = (pixels[i] - mean) / deviation;
}

} // namespace

void apply_jitter(float* pixels, std::size_t count, const Jitter& jitter) {
    if (jitter.brightness != 1.0f) at_level<scale_and_cut>(pixels, count, jitter.brightness, 0.0f);
    if (jitter.contrast == 1.0f) return;
    const float mean = static_cast<float>(at_level<sum_of>(pixels, count) / static_cast<double>(count));
    at_level<scale_and_cut>(pixels, count, jitter.contrast, mean * (1.0f - jitter.contrast));
}

void add_noise(float* pixels, std::size_t count, float sigma, std::uint64_t key, std::uint32_t channel) {
    const PhiloxKey words{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
    double normal[noise_block];
    for (std::size_t i = 0; i < count; i += noise_block) {
        at_level<normal_block>(static_cast<std::uint32_t>(i / 4), channel, words, normal);
        const std::size_t block = std::min(noise_block, count - i);
        for (std::size_t j = 0; j < block; ++j)
            pixels[i + j] += sigma * static_cast<float>(normal[j]);
    }
}

void normalize(float* pixels, std::size_t count, float mean, float deviation) {
    at_level<shift_and_scale>(pixels, count, mean, deviation);
}

} // namespace morphobench
