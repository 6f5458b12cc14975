#include "narrow.hpp"

#include <cmath>
#include <cstring>

namespace morphobench {

namespace {

std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

std::uint16_t to_bfloat16(float value) {
    const std::uint32_t bits = bits_of(value);
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

std::uint16_t to_float16(float value) {
    const std::uint32_t bits = bits_of(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u); // rounds to infinity
    if (magnitude < 0x38800000u) {
        // Below the smallest normal number: adding 1/2 leaves the subnormal's bits, rounded, in the last
        // places.
        float shifted;
        std::memcpy(&shifted, &magnitude, sizeof shifted);
        return static_cast<std::uint16_t>(sign | (bits_of(shifted + 0.5f) - bits_of(0.5f)));
    }
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

std::uint8_t to_uint8(float value) {
    const float cut = value < 0.0f ? 0.0f : (value > 1.0f ? 1.0f : value);
    return static_cast<std::uint8_t>(std::nearbyint(255.0f * cut));
}

template <class T, class Convert>
void write(const float* pixels, std::size_t count, void* out, Convert convert) {
    T* target = static_cast<T*>(out);
    for (std::size_t i = 0; i < count; ++i)
        target[i] = convert(pixels[i]);
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

void narrow(const float* pixels, std::size_t count, PixelType type, void* out) {
    switch (type) {
    case PixelType::float32:
        std::memcpy(out, pixels, count * sizeof *pixels);
        break;
    case PixelType::float16:
        write<std::uint16_t>(pixels, count, out, to_float16);
        break;
    case PixelType::bfloat16:
        write<std::uint16_t>(pixels, count, out, to_bfloat16);
        break;
    case PixelType::uint8:
        write<std::uint8_t>(pixels, count, out, to_uint8);
        break;
    }
}

} // namespace morphobench
