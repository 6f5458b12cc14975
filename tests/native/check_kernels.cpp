// Compares every kernel of every SIMD level that runs here with the scalar one, byte for byte, on random
// cases, and the scalar view kernels with the sums of whole weights: check_kernels [CASES]. A program of its
// own, so that it also runs where Python does not (see tools/check_neon.py). Exit code 1 at the first
// difference. Compiled with -ffp-contract=off throughout: then the network's sums are the same at every
// level, too.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "dispatch/dispatch.hpp"
#include "distances/kernels.hpp"
#include "network/conv_pool_stem.hpp"
#include "network/max_pool_relu.hpp"
#include "network/output_conv.hpp"
#include "network/pixel_shuffle.hpp"
#include "views/kernels/kernels.hpp"
#include "views/photometric.hpp"
#include "views/pixel_cast.hpp"
#include "views/resample/resample_f32.hpp"
#include "views/view_params_simd.hpp"

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

bool resize_case(const ViewKernels& use) {
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

bool float_case(const ViewKernels& use) {
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

int passed = 0, enlarged = 0, shrunk = 0; // cases that the fused kernels took

// ViewKernels that do several steps at once, beside the scalar steps.
bool fused_case(const ViewKernels& use) {
    if (!use.try_vertical_to_unit) return true;
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
    if (!along && !use.try_vertical_to_unit(image.read(), vertical, ours)) return true;
    if (!along)
        ++passed;
    else if (!use.try_resize_to_unit ||
             !use.try_resize_to_unit(image.read(), horizontal, vertical, scratch, ours))
        return true;
    else
        ++(horizontal.two.usable ? enlarged : shrunk);
    if (std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0) return true;
    std::printf("%s: %d x %d to %d x %d pixels as units differs\n", use.level, height, width, out_height,
                out_width);
    return false;
}

template <class T>
std::vector<T> normal_numbers(std::size_t count) {
    std::vector<T> numbers(count);
    for (T& number : numbers)
        number = static_cast<T>(std::normal_distribution<>()(generator));
    return numbers;
}

// What the kernels compute that are written once and compiled for each level.
class Outputs {
public:
    template <class T>
    void add(const std::vector<T>& values) {
        const auto* first = reinterpret_cast<const unsigned char*>(values.data());
        bytes_.insert(bytes_.end(), first, first + values.size() * sizeof(T));
    }
    bool operator==(const Outputs& other) const { return bytes_ == other.bytes_; }

private:
    std::vector<unsigned char> bytes_;
};

void add_params(Outputs& outputs) {
    const ViewDistribution distribution{CropSampler(0.1, below(2) ? 1.0 : 0.5, 0.75, 1.25),
                                        0.5,
                                        0.5,
                                        0.1,
                                        2.0,
                                        0.0,
                                        false,
                                        0.0,
                                        0.0,
                                        0.0,
                                        0.0,
                                        0.0};
    ViewParamsLanes lanes{};
    for (std::size_t i = 0; i < ViewParamsLanes::count; ++i)
        lanes.image_low[i] = static_cast<std::uint32_t>(generator());
    lanes.sample(distribution, side(300), side(300), generator(), 3, 1);
    for (const auto* numbers : {lanes.top, lanes.left, lanes.height, lanes.width, lanes.flip, lanes.fits})
        outputs.add(std::vector<std::int32_t>(numbers, numbers + ViewParamsLanes::count));
    outputs.add(std::vector<float>(lanes.blur_sigma, lanes.blur_sigma + ViewParamsLanes::count));
}

void add_pixels(Outputs& outputs) {
    const std::int32_t height = side(40), width = side(40), out = side(40);
    std::vector<float> pixels = normal_numbers<float>(static_cast<std::size_t>(height * width)), scratch;
    std::vector<float> resized(static_cast<std::size_t>(out * out));
    resample_f32({pixels.data(), width, height, width}, AxisTableF32(width, out), AxisTableF32(height, out),
                 scratch, {resized.data(), out, out, out});
    outputs.add(resized);
    apply_jitter(pixels.data(), pixels.size(), {1.2f, 0.7f});
    add_noise(pixels.data(), pixels.size(), 0.1f, generator(), 2);
    normalize(pixels.data(), pixels.size(), 0.4f, 0.3f);
    outputs.add(pixels);
    for (const PixelType type : {PixelType::float16, PixelType::bfloat16, PixelType::uint8}) {
        std::vector<unsigned char> cast(pixels.size() * pixel_bytes(type));
        cast_pixels(pixels.data(), pixels.size(), type, cast.data());
        outputs.add(cast);
    }
}

template <class T>
void add_network(Outputs& outputs) {
    constexpr std::size_t features = 32, channels = 2;
    const auto half_height = static_cast<std::size_t>(side(6)),
               half_width = static_cast<std::size_t>(4 * side(3));
    const std::size_t pixels = 4 * half_height * half_width;
    const SubpixelGrid grid{1, half_height, half_width, features};
    const ConvPoolShape stem{1, channels, 2 * half_height, 2 * half_width, features};
    const PoolShape pool{1, 2 * half_height, 2 * half_width, features};
    const auto weight = normal_numbers<T>(channels * 9 * features), bias = normal_numbers<T>(features);
    const auto images = normal_numbers<T>(channels * pixels), large = normal_numbers<T>(pixels * features);
    const auto cells = normal_numbers<T>(grid.cells());
    std::vector<T> pooled(large.size() / 4), weight_gradient(weight.size()), bias_gradient(features);
    std::vector<T> large_out(large.size()), cell_gradient(cells.size()), logits(images.size());
    std::vector<std::uint8_t> choice(pooled.size());
    ConvPoolStem<T>::forward(stem, images.data(), weight.data(), bias.data(), pooled.data(), choice.data());
    outputs.add(pooled), outputs.add(choice);
    ConvPoolStem<T>::backward(stem, images.data(), pooled.data(), choice.data(), weight_gradient.data(),
                              bias_gradient.data());
    outputs.add(weight_gradient), outputs.add(bias_gradient);
    MaxPoolRelu<T>::forward(pool, large.data(), pooled.data(), choice.data());
    outputs.add(pooled), outputs.add(choice);
    MaxPoolRelu<T>::backward(pool, pooled.data(), choice.data(), large_out.data());
    outputs.add(large_out);
    PixelShuffle<T>::forward(grid, cells.data(), large_out.data());
    outputs.add(large_out);
    PixelShuffle<T>::backward(grid, large.data(), large_out.data(), cell_gradient.data());
    outputs.add(cell_gradient);
    OutputConv<T>::forward(grid, channels, cells.data(), weight.data(), bias.data(), logits.data());
    outputs.add(logits);
    OutputConv<T>::backward(grid, channels, images.data(), cells.data(), weight.data(), cell_gradient.data(),
                            weight_gradient.data());
    outputs.add(cell_gradient), outputs.add(weight_gradient);
}

// Sums of both kinds for a tile; those in float32 lanes are compared to rounding, not by their bytes.
std::vector<double> absolute_sums_of(std::size_t columns, Outputs& outputs) {
    std::vector<std::vector<float>> rows;
    for (std::size_t i = 0; i < 2 * tile_rows; ++i)
        rows.push_back(normal_numbers<float>(columns));
    const float *a[tile_rows], *b[tile_rows];
    for (std::size_t i = 0; i < tile_rows; ++i)
        a[i] = rows[i].data(), b[i] = rows[tile_rows + i].data();
    std::vector<double> sums(2 * tile_pairs);
    absolute_sums()(a, b, columns, sums.data(), sums.data() + tile_pairs);
    outputs.add(std::vector<double>{standardized_square(a[0], 0.1, 1.1, b[0], -0.2, 0.9, columns)});
    return sums;
}

struct Results {
    Outputs exact;
    std::vector<double> sums;
};

Results compute(const std::string& level, unsigned seed) {
    use_simd(level);
    generator.seed(seed);
    Results results;
    add_params(results.exact);
    add_pixels(results.exact);
    add_network<float>(results.exact);
    add_network<double>(results.exact);
    results.sums = absolute_sums_of(static_cast<std::size_t>(side(1024)), results.exact);
    return results;
}

bool compiled_case(const std::string& level, unsigned seed) {
    const Results ours = compute(level, seed), scalar = compute("scalar", seed);
    bool same = ours.exact == scalar.exact;
    for (std::size_t i = 0; i < scalar.sums.size(); ++i) { // avx512 takes one sum from the other
        const double both = scalar.sums[i % tile_pairs] + scalar.sums[i % tile_pairs + tile_pairs];
        same = same && std::fabs(ours.sums[i] - scalar.sums[i]) <= 1e-5 * both;
    }
    if (!same)
        std::printf("%s: draws, pixels, network or distances of seed %u differ\n", level.c_str(), seed);
    return same;
}

} // namespace

int main(int count, char** arguments) {
    const int cases = count > 1 ? std::atoi(arguments[1]) : 1000;
    for (const std::string& level : simd_levels()) {
        use_simd(level);
        const ViewKernels& use = view_kernels();
        passed = enlarged = shrunk = 0;
        for (int i = 0; i < cases; ++i)
            if (!resize_case(use) || !float_case(use) || !fused_case(use)) return 1;
        for (int i = 0; i < 1 + cases / 10; ++i)
            if (!compiled_case(level, static_cast<unsigned>(i))) return 1;
        if ((use.try_vertical_to_unit && passed < cases / 30) ||
            (use.try_resize_to_unit && std::min(enlarged, shrunk) < cases / 30)) {
            std::printf("%s: the fused kernels took few of the cases\n", level.c_str());
            return 1;
        }
        std::printf("%s: %d cases equal the scalar level's bytes\n", level.c_str(), cases);
    }
}
