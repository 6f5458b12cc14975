// Compares every kernel of every SIMD level that runs here with the scalar one, byte for byte, on random
// cases, and the scalar one with the sums of whole weights: check_kernels [CASES]. A program of its own, so
// that it also runs where Python does not (see tools/check_neon.py). Exit code 1 at the first difference.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "views/kernels/kernels.hpp"

namespace {

using namespace morphobench;

std::mt19937 generator(7);

std::int32_t below(std::int32_t count) {
    return std::uniform_int_distribution<std::int32_t>(0, count - 1)(generator);
}

// 1 to `most`, small ones the most frequent.
std::int32_t side(std::int32_t most) {
    return static_cast<std::int32_t>(
        std::exp2(std::uniform_real_distribution<>(0, std::log2(most))(generator)));
}

struct Bytes {
    std::vector<std::uint8_t> storage;
    PlaneView<std::uint8_t> plane;

    Bytes(std::int32_t height, std::int32_t width, std::int32_t stride)
        : storage(static_cast<std::size_t>(height) * static_cast<std::size_t>(stride)),
          plane{storage.data(), stride, height, width} {
        const bool extremes = below(4) == 0;
        for (std::uint8_t& byte : storage)
            byte = static_cast<std::uint8_t>(extremes ? 255 * below(2) : below(256));
    }
    PlaneView<const std::uint8_t> read() const {
        return {plane.data, plane.stride, plane.height, plane.width};
    }
    bool same_pixels(const Bytes& other) const {
        for (std::int32_t y = 0; y < plane.height; ++y)
            if (std::memcmp(plane.row(y), other.plane.row(y), static_cast<std::size_t>(plane.width)) != 0)
                return false;
        return true;
    }
};

// One pixel by the whole weights; `pixel` gives the one at a place along the axis.
template <class Pixel>
std::uint8_t resized(const AxisTable& table, std::int32_t o, const Pixel& pixel) {
    std::int64_t sum = weight_half;
    for (std::int32_t t = 0; t < table.taps; ++t)
        if (const std::int32_t weight = table.weights_of(o)[t])
            sum += std::int64_t{weight} * pixel(table.first[static_cast<std::size_t>(o)] + t);
    return static_cast<std::uint8_t>(std::min<std::int64_t>(sum >> weight_bits, 255));
}

bool resize_case(const Kernels& use) {
    const std::int32_t in = side(below(50) ? 600 : 9000), out = side(300), others = side(80);
    const AxisTable table(in, out, below(2) != 0);
    // No room after the last row: whoever reads there is caught by a sanitizer.
    const Bytes row_image(others, in, in), column_image(in, others, padded(others));
    Bytes ours_rows(others, out, padded(out)), theirs_rows(others, out, padded(out));
    Bytes ours_columns(out, others, padded(others)), theirs_columns(out, others, padded(others));
    use.horizontal(row_image.read(), table, ours_rows.plane);
    scalar_kernels.horizontal(row_image.read(), table, theirs_rows.plane);
    use.vertical(column_image.read(), table, ours_columns.plane);
    scalar_kernels.vertical(column_image.read(), table, theirs_columns.plane);
    const std::int32_t line = below(others);
    for (std::int32_t o = 0; o < out; ++o) {
        const auto along = resized(table, o, [&](std::int32_t x) { return row_image.read().row(line)[x]; });
        const auto across =
            resized(table, o, [&](std::int32_t y) { return column_image.read().row(y)[line]; });
        if (along != theirs_rows.plane.row(line)[o] || across != theirs_columns.plane.row(o)[line]) {
            std::printf("scalar: %d to %d pixels differs from the sums of whole weights\n", in, out);
            return false;
        }
    }
    const bool same = ours_rows.same_pixels(theirs_rows) && ours_columns.same_pixels(theirs_columns);
    if (!same) std::printf("%s: %d to %d pixels differs\n", use.level, in, out);
    return same;
}

bool float_case(const Kernels& use) {
    const std::int32_t height = side(90), width = side(300);
    const Bytes image(height, width, below(2) ? padded(width) : width);
    const std::size_t count = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    // Any alignment, and a number on either side that must stay.
    const auto shift = static_cast<std::size_t>(1 + below(16));
    std::vector<float> first(count + 18, 7.0f), second(first), rows(3 * static_cast<std::size_t>(width));
    float *ours = first.data() + shift, *theirs = second.data() + shift;
    const auto differ = [&](const char* kernel) {
        if (std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0) return false;
        std::printf("%s: %s of %d x %d pixels differs\n", use.level, kernel, height, width);
        return true;
    };
    use.to_unit(image.read(), ours);
    scalar_kernels.to_unit(image.read(), theirs);
    if (differ("to_unit")) return false;
    const std::vector<float> sharp(theirs, theirs + count);
    const PlaneView<const float> plane{sharp.data(), width, height, width};
    const float edge = 0.3f * static_cast<float>(below(1000)) / 1000.0f, center = 1.0f - 2.0f * edge;
    use.blur(plane, edge, center, rows.data(), ours);
    scalar_kernels.blur(plane, edge, center, rows.data(), theirs);
    return !differ("blur");
}

int passed = 0, enlarged = 0, shrunk = 0; // cases that units and resize_units took

// Kernels that do several steps at once, beside the scalar steps.
bool fused_case(const Kernels& use) {
    if (!use.units) return true;
    const std::int32_t height = side(300), width = side(300);
    const bool along = below(3) != 0;
    const std::int32_t out_height = side(150), out_width = along ? side(150) : width;
    const AxisTable horizontal(width, out_width, below(2) != 0), vertical(height, out_height, below(2) != 0);
    // No room after the last row, except for a pass along columns alone.
    const Bytes image(height, width, along ? width : padded(width));
    Bytes stretched(height, out_width, padded(out_width)), resized(out_height, out_width, padded(out_width));
    if (along) scalar_kernels.horizontal(image.read(), horizontal, stretched.plane);
    scalar_kernels.vertical(along ? stretched.read() : image.read(), vertical, resized.plane);
    const std::size_t count = static_cast<std::size_t>(out_height) * static_cast<std::size_t>(out_width);
    std::vector<float> first(count + 18, 7.0f), second(first);
    const auto shift = static_cast<std::size_t>(1 + below(16));
    float *ours = first.data() + shift, *theirs = second.data() + shift;
    scalar_kernels.to_unit(resized.read(), theirs);
    Scratch<std::uint8_t> scratch;
    if (!along && !use.units(image.read(), vertical, ours)) return true;
    if (!along)
        ++passed;
    else if (!use.resize_units || !use.resize_units(image.read(), horizontal, vertical, scratch, ours))
        return true;
    else
        ++(horizontal.two.usable ? enlarged : shrunk);
    if (std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0) return true;
    std::printf("%s: %d x %d to %d x %d pixels as units differs\n", use.level, height, width, out_height,
                out_width);
    return false;
}

} // namespace

int main(int count, char** arguments) {
    const int cases = count > 1 ? std::atoi(arguments[1]) : 1000;
    for (const std::string& level : simd_levels()) {
        use_simd(level);
        passed = enlarged = shrunk = 0;
        for (int i = 0; i < cases; ++i)
            if (!resize_case(kernels()) || !float_case(kernels()) || !fused_case(kernels())) return 1;
        if ((kernels().units && passed < cases / 30) ||
            (kernels().resize_units && std::min(enlarged, shrunk) < cases / 30)) {
            std::printf("%s: units or resize_units took few of the cases\n", level.c_str());
            return 1;
        }
        std::printf("%s: %d cases equal the scalar level's bytes\n", level.c_str(), cases);
    }
}
