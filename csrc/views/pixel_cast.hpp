#pragma once

#include <cstddef>
#include <cstdint>

namespace morphobench {

enum class PixelType { float32, float16, bfloat16, uint8 };

// Bytes of one pixel.
std::size_t pixel_bytes(PixelType type);

// Writes `count` pixels as `type`, rounded to nearest, halves to even; uint8: 255 times the pixel cut off at
// 0 and 1.
void cast_pixels(const float* pixels, std::size_t count, PixelType type, void* out);

} // namespace morphobench
