// The portable kernels: what every other version must equal byte for byte.

#include <algorithm>
#include <array>
#include <vector>

#include "views/kernels/blur_rows.hpp"
#include "views/kernels/kernels.hpp"

namespace morphobench {

namespace {

// Thousands of taps, each rounded up, could exceed 255; with fewer this never acts.
std::uint8_t to_pixel(std::int32_t sum) {
    const std::int32_t value = sum >> weight_bits;
    return static_cast<std::uint8_t>(value > 255 ? 255 : value);
}

template <class T>
struct Pair {
    T a, b;
};

// TwoTaps' formula in 16 bits, for the compiler to use vectors of them; `whole`: every rest is 0.
template <bool whole>
inline std::uint8_t two_taps(Pair<std::uint8_t> pixels, Pair<std::int16_t> shares, std::int16_t rest) {
    auto sum = static_cast<std::int16_t>(pixels.a * shares.a + pixels.b * shares.b + 64);
    if constexpr (!whole) {
        const auto twice = static_cast<std::int16_t>(2 * (pixels.a - pixels.b));
        sum = static_cast<std::int16_t>(sum + static_cast<std::int16_t>((twice * rest) >> 16));
    }
    return static_cast<std::uint8_t>(sum >> 7);
}

// What a thread takes of a row at a time, so that sums stay in registers or the nearest cache.
constexpr std::int32_t strip = 64;

template <bool whole>
void horizontal_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    for (std::int32_t left = 0; left < out.width; left += strip) {
        const auto at = static_cast<std::size_t>(left);
        const auto count = std::min<std::size_t>(strip, static_cast<std::size_t>(out.width - left));
        std::int16_t shares[2][strip];
        for (std::size_t i = 0; i < 2 * strip; ++i)
            shares[i % 2][i / 2] = taps.shares[2 * at + i];
        const std::int16_t* rests = taps.rests.data() + at;
        for (std::int32_t y = 0; y < in.height; ++y) {
            std::uint8_t a[strip] = {}, b[strip] = {};
            for (std::size_t x = 0; x < count; ++x) {
                a[x] = in.row(y)[taps.first[at + x]];
                b[x] = in.row(y)[taps.second[at + x]];
            }
            std::uint8_t* target = out.row(y) + left;
            for (std::size_t x = 0; x < strip; ++x)
                target[x] = two_taps<whole>({a[x], b[x]}, {shares[0][x], shares[1][x]}, rests[x]);
        }
    }
}

template <bool whole>
void vertical_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const Pair<std::int16_t> shares{taps.shares[2 * at], taps.shares[2 * at + 1]};
        const std::int16_t rest = taps.rests[at];
        const std::uint8_t* above = in.row(taps.first[at]);
        const std::uint8_t* below = in.row(taps.second[at]);
        std::uint8_t* __restrict target = out.row(o);
        const std::int32_t width = in.width;
        for (std::int32_t x = 0; x < width; ++x)
            target[x] = two_taps<whole>({above[x], below[x]}, shares, rest);
    }
}

void horizontal_many(PlaneView<const std::uint8_t> in, const AxisTable& table, PlaneView<std::uint8_t> out) {
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

void vertical_many(PlaneView<const std::uint8_t> in, const AxisTable& table, PlaneView<std::uint8_t> out) {
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

void horizontal(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                const PlaneView<std::uint8_t>& out) {
    if (table.two.usable && table.two.exact_shares)
        horizontal_two<true>(in, table.two, out);
    else if (table.two.usable)
        horizontal_two<false>(in, table.two, out);
    else
        horizontal_many(in, table, out);
}

void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out) {
    if (table.two.usable && table.two.exact_shares)
        vertical_two<true>(in, table.two, out);
    else if (table.two.usable)
        vertical_two<false>(in, table.two, out);
    else
        vertical_many(in, table, out);
}

constexpr std::array<float, 256> make_units() {
    std::array<float, 256> units{};
    for (std::size_t i = 0; i < units.size(); ++i)
        units[i] = static_cast<float>(i) / 255.0f;
    return units;
}

constexpr std::array<float, 256> units = make_units();

void to_unit(const PlaneView<const std::uint8_t>& in, float* out) {
    for (std::int32_t y = 0; y < in.height; ++y) {
        const std::uint8_t* source = in.row(y);
        const std::int32_t width = in.width;
        for (std::int32_t x = 0; x < width; ++x)
            *out++ = units[source[x]];
    }
}

void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out) {
    blur_plane(in, edge, center, rows, out);
}

} // namespace

const ViewKernels scalar_kernels{
    .level = "scalar", .horizontal = horizontal, .vertical = vertical, .to_unit = to_unit, .blur = blur};

} // namespace morphobench
