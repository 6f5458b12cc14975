// The portable kernels: what every other version must equal byte for byte.

#include <array>

#include "simd.hpp"

namespace morphobench {

namespace {

// Thousands of taps, each rounded up, could exceed 255; with fewer this never acts.
std::uint8_t to_pixel(std::int32_t sum) {
    const std::int32_t value = sum >> weight_bits;
    return static_cast<std::uint8_t>(value > 255 ? 255 : value);
}

void horizontal(PlaneView<const std::uint8_t> in, const AxisTable& table, PlaneView<std::uint8_t> out) {
    for (std::int32_t y = 0; y < in.height; ++y) {
        const std::uint8_t* source = in.row(y);
        std::uint8_t* target = out.row(y);
        for (std::int32_t o = 0; o < table.out; ++o) {
            const std::uint8_t* pixels = source + table.first[static_cast<std::size_t>(o)];
            const std::int32_t* weights = table.weights_of(o);
            std::int32_t sum = weight_half;
            for (std::int32_t t = 0; t < table.taps; ++t)
                sum += pixels[t] * weights[t];
            target[o] = to_pixel(sum);
        }
    }
}

// A strip of columns at a time, so that the sums stay in registers or the nearest cache.
constexpr std::int32_t strip = 64;

void vertical(PlaneView<const std::uint8_t> in, const AxisTable& table, PlaneView<std::uint8_t> out) {
    std::array<std::int32_t, strip> sums;
    for (std::int32_t o = 0; o < table.out; ++o) {
        const std::int32_t* weights = table.weights_of(o);
        for (std::int32_t left = 0; left < in.width; left += strip) {
            const std::int32_t count = in.width - left < strip ? in.width - left : strip;
            sums.fill(weight_half);
            for (std::int32_t t = 0; t < table.taps; ++t) {
                const std::uint8_t* source = in.row(table.first[static_cast<std::size_t>(o)] + t) + left;
                for (std::int32_t x = 0; x < count; ++x)
                    sums[static_cast<std::size_t>(x)] += source[x] * weights[t];
            }
            std::uint8_t* target = out.row(o) + left;
            for (std::int32_t x = 0; x < count; ++x)
                target[x] = to_pixel(sums[static_cast<std::size_t>(x)]);
        }
    }
}

constexpr std::array<float, 256> make_units() {
    std::array<float, 256> units{};
    for (std::size_t i = 0; i < units.size(); ++i)
        units[i] = static_cast<float>(i) / 255.0f;
    return units;
}

constexpr std::array<float, 256> units = make_units();

void to_unit(PlaneView<const std::uint8_t> in, float* out) {
    for (std::int32_t y = 0; y < in.height; ++y) {
        const std::uint8_t* source = in.row(y);
        for (std::int32_t x = 0; x < in.width; ++x)
            *out++ = units[source[x]];
    }
}

// The row convolved along x; a single column reflects onto itself.
void blur_row(const float* in, std::int32_t width, float edge, float center, float* out) {
    const std::int32_t last = width - 1;
    const std::int32_t next_to_first = width > 1 ? 1 : 0;
    const std::int32_t next_to_last = width > 1 ? last - 1 : 0;
    out[0] = edge * (in[next_to_first] + in[next_to_first]) + center * in[0];
    for (std::int32_t x = 1; x < last; ++x)
        out[x] = edge * (in[x - 1] + in[x + 1]) + center * in[x];
    out[last] = edge * (in[next_to_last] + in[next_to_last]) + center * in[last];
}

void blur(PlaneView<float> plane, float edge, float center, float* rows) {
    const std::int32_t height = plane.height, width = plane.width;
    const auto buffer = [&](std::int32_t y) { return rows + static_cast<std::ptrdiff_t>(y % 3) * width; };
    const auto reflect = [&](std::int32_t y) {
        if (height == 1) return 0;
        return y < 0 ? -y : (y >= height ? 2 * (height - 1) - y : y);
    };
    blur_row(plane.row(0), width, edge, center, buffer(0));
    for (std::int32_t y = 0; y < height; ++y) {
        if (y + 1 < height) blur_row(plane.row(y + 1), width, edge, center, buffer(y + 1));
        const float* above = buffer(reflect(y - 1));
        const float* here = buffer(y);
        const float* below = buffer(reflect(y + 1));
        float* target = plane.row(y);
        for (std::int32_t x = 0; x < width; ++x)
            target[x] = edge * (above[x] + below[x]) + center * here[x];
    }
}

} // namespace

const Kernels scalar_kernels{"scalar", horizontal, vertical, to_unit, blur};

} // namespace morphobench
