#include "views/pixel_cast.hpp"

#include <cstring>

#include "dispatch/at_level.hpp"

namespace morphobench {

namespace {

MORPHOBENCH_INLINE std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

MORPHOBENCH_INLINE std::uint16_t to_bfloat16(float value) {
    const std::uint32_t bits = bits_of(value);
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

MORPHOBENCH_INLINE std::uint16_t to_float16(float value) {
    const std::uint32_t bits = bits_of(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    // Below the smallest normal number: adding 1/2 leaves the subnormal's bits, rounded, in the last places.
    const std::uint32_t small = magnitude < 0x38800000u ? magnitude : 0u;
    float shifted;
    std::memcpy(&shifted, &small, sizeof shifted);
    const std::uint32_t subnormal = bits_of(shifted + 0.5f) - bits_of(0.5f);
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    const std::uint32_t normal = magnitude < 0x477ff000u ? (rounded - 0x38000000u) >> 13 : 0x7c00u;
    return static_cast<std::uint16_t>(sign | (magnitude < 0x38800000u ? subnormal : normal));
}

MORPHOBENCH_INLINE std::uint8_t to_uint8(float value) {
    const float cut = value < 0.0f ? 0.0f : (value > 1.0f ? 1.0f : value);
    // Adding 1.5 * 2^23 leaves the integer, rounded, in the last places.
    return static_cast<std::uint8_t>(bits_of(255.0f * cut + 0x1.8p23f));
}

MORPHOBENCH_INLINE void write_float16(const float* pixels, std::size_t count, std::uint16_t* out) {
    for (std::size_t i = 0; i < count; ++i)
        out[i] = to_float16(pixels[i]);
}

MORPHOBENCH_INLINE void write_bfloat16(const float* pixels, std::size_t count, std::uint16_t* out) {
    for (std::size_t i = 0; i < count; ++i)
        out[i] = to_bfloat16(pixels[i]);
}

MORPHOBENCH_INLINE void write_uint8(const float* pixels, std::size_t count, std::uint8_t* out) {
    for (std::size_t i = 0; i < count; ++i)
        out[i] = to_uint8(pixels[i]);
}

} // namespace

std::size_t pixel_bytes(PixelType type) {
    switch (type) {
    case PixelType::float32:
        return 4;
    case PixelType::uint8:
        return 1;
    default:
        return 2;
    }
}

void cast_pixels(const float* pixels, std::size_t count, PixelType type, void* out) {
    switch (type) {
    case PixelType::float32:
        std::memcpy(out, pixels, count * sizeof *pixels);
        break;
    case PixelType::float16:
        at_level<write_float16>(pixels, count, static_cast<std::uint16_t*>(out));
        break;
    case PixelType::bfloat16:
        at_level<write_bfloat16>(pixels, count, static_cast<std::uint16_t*>(out));
        break;
    case PixelType::uint8:
        at_level<write_uint8>(pixels, count, static_cast<std::uint8_t*>(out));
        break;
    }
}

} // namespace morphobench
