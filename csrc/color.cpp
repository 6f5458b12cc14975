#include "color.hpp"

#include "portable_math.hpp"
#include "random.hpp"

namespace morphobench {

namespace {

float cut(float value) { return value < 0.0f ? 0.0f : (value > 1.0f ? 1.0f : value); }

} // namespace

void apply_jitter(float* pixels, std::size_t count, const Jitter& jitter) {
    if (jitter.brightness != 1.0f)
        for (std::size_t i = 0; i < count; ++i)
            pixels[i] = cut(pixels[i] * jitter.brightness);
    if (jitter.contrast == 1.0f) return;
    double sum = 0.0;
    for (std::size_t i = 0; i < count; ++i)
        sum += static_cast<double>(pixels[i]);
    const float offset = static_cast<float>(sum / static_cast<double>(count)) * (1.0f - jitter.contrast);
    for (std::size_t i = 0; i < count; ++i)
        pixels[i] = cut(pixels[i] * jitter.contrast + offset);
}

void add_noise(float* pixels, std::size_t count, float sigma, std::uint64_t key, std::uint32_t channel) {
    const PhiloxKey words{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
    for (std::size_t i = 0; i < count; i += 4) {
        const PhiloxCounter random = philox4x32({static_cast<std::uint32_t>(i / 4), channel, 0, 0}, words);
        for (std::size_t j = 0; j < 4 && i + j < count; ++j)
            pixels[i + j] += sigma * static_cast<float>(normal_quantile((random[j] + 0.5) * 0x1p-32));
    }
}

void normalize(float* pixels, std::size_t count, float mean, float deviation) {
    for (std::size_t i = 0; i < count; ++i)
        pixels[i] = (pixels[i] - mean) / deviation;
}

} // namespace morphobench
