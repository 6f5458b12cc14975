#pragma once

#include <cstddef>
#include <cstdint>

#include "views/view_distribution.hpp"

namespace morphobench {

// Brightness, then contrast, as torchvision's adjust_brightness and adjust_contrast on one channel: multiply;
// then blend with the channel's mean; each cut off at 0 and 1.
void apply_jitter(float* pixels, std::size_t count, const Jitter& jitter);

// Adds sigma times a standard normal number to each pixel: a function of (key, channel, pixel) alone.
void add_noise(float* pixels, std::size_t count, float sigma, std::uint64_t key, std::uint32_t channel);

// (pixel - mean) / deviation
void normalize(float* pixels, std::size_t count, float mean, float deviation);

} // namespace morphobench
