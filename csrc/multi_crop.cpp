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

// 8-bit views up to the blur: crop, resize, flip, turn, / 255, blur.
class ByteViews {
public:
    using Pixel = std::uint8_t;
    using Table = AxisTable;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    const ViewDraw& draw, const Kernels& use, float* out) {
        Resampled resized = resample(window, horizontal, vertical, use, scratch_);
        if (draw.quarter_turns) resized = {turned(resized, draw.quarter_turns, use), nullptr};
        if (!(draw.blur_sigma > 0.0f)) return units(resized, use, out);
        const BlurTaps taps(draw.blur_sigma);
        if (use.blurred_units && horizontal.out == Kernels::blurred_width)
            return use.blurred_units(resized.plane, resized.vertical, taps.edge, taps.center, out);
        const std::int32_t size = horizontal.out;
        const auto side = static_cast<std::size_t>(size);
        float* const sharp = aligned(sharp_, side * side);
        units(resized, use, sharp);
        rows_.resize(3 * side);
        use.blur({sharp, size, size, size}, taps.edge, taps.center, rows_.data(), out);
    }

private:
    void units(const Resampled& resized, const Kernels& use, float* out) {
        if (use.units)
            use.units(resized.plane, resized.vertical, out);
        else
            use.to_unit(finished(resized, use), out);
    }
    // After the last pass, in bytes.
    PlaneView<const Pixel> finished(const Resampled& resized, const Kernels& use) {
        if (!resized.vertical) return resized.plane;
        const PlaneView<Pixel> pixels = plane_in(pixels_, resized.plane.width);
        use.vertical(resized.plane, *resized.vertical, pixels);
        return read_only(pixels);
    }
    PlaneView<const Pixel> turned(const Resampled& resized, int turns, const Kernels& use) {
        const PlaneView<Pixel> turned = plane_in(turned_, resized.plane.width);
        quarter_turn<Pixel>(finished(resized, use), turns, turned);
        return read_only(turned);
    }
    static PlaneView<Pixel> plane_in(std::vector<Pixel>& storage, std::int32_t size) {
        storage.resize(static_cast<std::size_t>(size) * static_cast<std::size_t>(padded(size)));
        return {storage.data(), padded(size), size, size};
    }
    static PlaneView<const Pixel> read_only(const PlaneView<Pixel>& plane) {
        return {plane.data, plane.stride, plane.height, plane.width};
    }

    ResampleScratch scratch_;
    std::vector<Pixel> pixels_, turned_;
    std::vector<float> sharp_, rows_;
};

// The same of 16-bit views, in float32, / 65535.
class WordViews {
public:
    using Pixel = std::uint16_t;
    using Table = FloatAxisTable;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    const ViewDraw& draw, const Kernels& use, float* out) {
        const std::int32_t size = horizontal.out;
        const auto side = static_cast<std::size_t>(size);
        const int turns = draw.quarter_turns;
        const bool blurred = draw.blur_sigma > 0.0f;
        float* const sharp = blurred ? aligned(sharp_, side * side) : out;
        unit_.resize(static_cast<std::size_t>(window.height) * static_cast<std::size_t>(window.width));
        float* target = unit_.data();
        for (std::int32_t y = 0; y < window.height; ++y)
            target = std::transform(window.row(y), window.row(y) + window.width, target,
                                    [](Pixel pixel) { return static_cast<float>(pixel) / 65535.0f; });
        resized_.resize(side * side);
        const PlaneView<float> resized{turns ? resized_.data() : sharp, size, size, size};
        float_resample({unit_.data(), window.width, window.height, window.width}, horizontal, vertical,
                       between_, resized);
        if (turns) quarter_turn<float>({resized.data, size, size, size}, turns, {sharp, size, size, size});
        if (!blurred) return;
        rows_.resize(3 * side);
        blur({sharp, size, size, size}, draw.blur_sigma, use, rows_.data(), out);
    }

private:
    std::vector<float> unit_, resized_, between_, sharp_, rows_;
};

template <class Views>
void apply(const ViewedImages<typename Views::Pixel>& viewed, const DrawFields& draws,
           const ViewOutput& output, unsigned threads) {
    const auto& images = viewed.images;
    Tables<typename Views::Table> horizontal(images.width, output.size), vertical(images.height, output.size);
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
    const std::size_t images_per_chunk = 1 + pixels_per_chunk / (1 + pixels * images.channels * draws.views);
    parallel_for(draws.images, images_per_chunk, threads, [&](std::size_t begin, std::size_t end) {
        thread_local Views make;
        thread_local std::vector<float> narrowed;
        float* const before_narrowing = wide ? nullptr : aligned(narrowed, pixels);
        const auto fill = [&](std::size_t view, std::size_t image) {
            const ViewDraw draw = draws.get(view, image);
            const auto& along = horizontal.get(draw.window.width, draw.flip);
            const auto& across = vertical.get(draw.window.height, draw.flip_vertical);
            for (std::size_t channel = 0; channel < images.channels; ++channel) {
                char* target = static_cast<char*>(output.data) +
                               ((view * draws.images + image) * images.channels + channel) * plane_bytes;
                float* plane = wide ? reinterpret_cast<float*>(target) : before_narrowing;
                make(crop(images.plane(viewed.index(image), channel), draw.window), along, across, draw, use,
                     plane);
                if (draws.brightness) apply_jitter(plane, pixels, draws.jitter(view, image, channel));
                if (draw.noise_sigma > 0.0f)
                    add_noise(plane, pixels, draw.noise_sigma, draw.noise_key,
                              static_cast<std::uint32_t>(channel));
                if (!output.mean.empty())
                    normalize(plane, pixels, output.mean[channel], output.deviation[channel]);
                if (!wide) narrow(plane, pixels, output.type, target);
            }
        };
        // All views of an image one after the other, while it is in the cache.
        for (std::size_t image = begin; image < end; ++image)
            for (std::size_t view = 0; view < draws.views; ++view)
                fill(view, image);
    });
}

} // namespace

void apply_views(const ViewedImages<std::uint8_t>& viewed, const DrawFields& draws, const ViewOutput& output,
                 unsigned threads) {
    apply<ByteViews>(viewed, draws, output, threads);
}

void apply_views(const ViewedImages<std::uint16_t>& viewed, const DrawFields& draws, const ViewOutput& output,
                 unsigned threads) {
    apply<WordViews>(viewed, draws, output, threads);
}

} // namespace morphobench
