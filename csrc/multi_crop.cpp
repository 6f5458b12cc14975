#include "multi_crop.hpp"

#include <algorithm>
#include <memory>

#include "blur.hpp"
#include "color.hpp"
#include "float_resample.hpp"
#include "parallel_for.hpp"
#include "quarter_turn.hpp"
#include "resample.hpp"

namespace morphobench {

namespace {

// What a thread takes at a time: enough to hide the hand-out, few enough to share out evenly.
constexpr std::size_t pixels_per_chunk = 16 * 64 * 64;

// The tables of one axis that a set of draws needs, looked up once so that threads read without a lock.
template <class Table>
class Tables {
public:
    Tables(std::int32_t longest, std::int32_t out)
        : out_{out}, forward_(static_cast<std::size_t>(longest) + 1), mirrored_(forward_.size()) {}

    void add(std::int32_t in, bool mirrored) {
        auto& slot = (mirrored ? mirrored_ : forward_)[static_cast<std::size_t>(in)];
        if (!slot) slot = Table::shared(in, out_, mirrored);
    }
    const Table& get(std::int32_t in, bool mirrored) const {
        return *(mirrored ? mirrored_ : forward_)[static_cast<std::size_t>(in)];
    }

private:
    std::int32_t out_;
    std::vector<std::shared_ptr<const Table>> forward_, mirrored_;
};

template <class T>
PlaneView<const T> crop(PlaneView<const T> plane, const Window& window) {
    return {plane.row(window.top) + window.left, plane.stride, window.height, window.width};
}

// Room for `count` numbers, from the start of a line of the cache on.
float* aligned(std::vector<float>& storage, std::size_t count) {
    constexpr std::size_t line = 64;
    storage.resize(count + line / sizeof(float));
    const auto past = reinterpret_cast<std::uintptr_t>(storage.data()) % line;
    return storage.data() + (past ? (line - past) / sizeof(float) : 0);
}

// The geometry of 8-bit views: crop, resize, flip, turn, / 255.
class ByteGeometry {
public:
    using Pixel = std::uint8_t;
    using Table = AxisTable;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    int turns, const Kernels& use, float* out) {
        const std::int32_t size = horizontal.out;
        PlaneView<Pixel> pixels = plane_in(pixels_, size);
        resample(window, horizontal, vertical, use, scratch_, pixels);
        if (turns) {
            const PlaneView<Pixel> turned = plane_in(turned_, size);
            quarter_turn<Pixel>({pixels.data, pixels.stride, size, size}, turns, turned);
            pixels = turned;
        }
        use.to_unit({pixels.data, pixels.stride, size, size}, out);
    }

private:
    static PlaneView<Pixel> plane_in(std::vector<Pixel>& storage, std::int32_t size) {
        storage.resize(static_cast<std::size_t>(size) * static_cast<std::size_t>(padded(size)));
        return {storage.data(), padded(size), size, size};
    }

    ResampleScratch scratch_;
    std::vector<Pixel> pixels_, turned_;
};

// The same of 16-bit views, in float32, / 65535.
class WordGeometry {
public:
    using Pixel = std::uint16_t;
    using Table = FloatAxisTable;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    int turns, const Kernels&, float* out) {
        const std::int32_t size = horizontal.out;
        unit_.resize(static_cast<std::size_t>(window.height) * static_cast<std::size_t>(window.width));
        float* target = unit_.data();
        for (std::int32_t y = 0; y < window.height; ++y)
            target = std::transform(window.row(y), window.row(y) + window.width, target,
                                    [](Pixel pixel) { return static_cast<float>(pixel) / 65535.0f; });
        resized_.resize(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
        const PlaneView<float> resized{turns ? resized_.data() : out, size, size, size};
        float_resample({unit_.data(), window.width, window.height, window.width}, horizontal, vertical,
                       between_, resized);
        if (turns) quarter_turn<float>({resized.data, size, size, size}, turns, {out, size, size, size});
    }

private:
    std::vector<float> unit_, resized_, between_;
};

template <class Geometry>
void apply(const ViewedImages<typename Geometry::Pixel>& viewed, const DrawFields& draws,
           const ViewOutput& output, unsigned threads) {
    const auto& images = viewed.images;
    Tables<typename Geometry::Table> horizontal(images.width, output.size),
        vertical(images.height, output.size);
    for (std::size_t view = 0; view < draws.views; ++view)
        for (std::size_t image = 0; image < draws.images; ++image) {
            const ViewDraw draw = draws.get(view, image);
            horizontal.add(draw.window.width, draw.flip);
            vertical.add(draw.window.height, draw.flip_vertical);
        }
    const Kernels& use = kernels();
    const auto side = static_cast<std::size_t>(output.size);
    const std::size_t pixels = side * side;
    const std::size_t plane_bytes = pixels * pixel_bytes(output.type);
    const bool wide = output.type == PixelType::float32;
    const std::size_t views_per_chunk = 1 + pixels_per_chunk / (1 + pixels * images.channels);
    parallel_for(draws.views * draws.images, views_per_chunk, threads,
                 [&](std::size_t begin, std::size_t end) {
                     thread_local Geometry geometry;
                     thread_local std::vector<float> rows, sharp, blurred;
                     rows.resize(3 * side);
                     float* const before_blur = aligned(sharp, pixels);
                     float* const before_narrowing = wide ? nullptr : aligned(blurred, pixels);
                     for (std::size_t i = begin; i < end; ++i) {
                         const std::size_t view = i / draws.images, image = i % draws.images;
                         const ViewDraw draw = draws.get(view, image);
                         for (std::size_t channel = 0; channel < images.channels; ++channel) {
                             char* target = static_cast<char*>(output.data) +
                                            (i * images.channels + channel) * plane_bytes;
                             float* plane = wide ? reinterpret_cast<float*>(target) : before_narrowing;
                             geometry(crop(images.plane(viewed.index(image), channel), draw.window),
                                      horizontal.get(draw.window.width, draw.flip),
                                      vertical.get(draw.window.height, draw.flip_vertical),
                                      draw.quarter_turns, use, draw.blur_sigma > 0.0f ? before_blur : plane);
                             if (draw.blur_sigma > 0.0f)
                                 blur({before_blur, output.size, output.size, output.size}, draw.blur_sigma,
                                      use, rows.data(), plane);
                             if (draws.brightness)
                                 apply_jitter(plane, pixels, draws.jitter(view, image, channel));
                             if (draw.noise_sigma > 0.0f)
                                 add_noise(plane, pixels, draw.noise_sigma, draw.noise_key,
                                           static_cast<std::uint32_t>(channel));
                             if (!output.mean.empty())
                                 normalize(plane, pixels, output.mean[channel], output.deviation[channel]);
                             if (!wide) narrow(plane, pixels, output.type, target);
                         }
                     }
                 });
}

} // namespace

void apply_views(const ViewedImages<std::uint8_t>& viewed, const DrawFields& draws, const ViewOutput& output,
                 unsigned threads) {
    apply<ByteGeometry>(viewed, draws, output, threads);
}

void apply_views(const ViewedImages<std::uint16_t>& viewed, const DrawFields& draws, const ViewOutput& output,
                 unsigned threads) {
    apply<WordGeometry>(viewed, draws, output, threads);
}

} // namespace morphobench
