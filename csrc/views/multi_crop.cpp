#include "views/multi_crop.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/parallel_for.hpp"
#include "core/scratch.hpp"
#include "views/blur.hpp"
#include "views/photometric.hpp"
#include "views/resample/resample_f32.hpp"
#include "views/resample/resample_u8.hpp"
#include "views/rotate90.hpp"

namespace morphobench {

namespace {

// Images that a thread takes at a time. Many, because what lies next to each other in memory is best written
// by one core; few enough to share out evenly.
std::size_t images_per_chunk(std::size_t images, std::size_t pixels_per_image, unsigned threads) {
    constexpr std::size_t most_pixels = 64 * 64 * 64, least_chunks = 8; // of a thread
    const std::size_t many = 1 + most_pixels / (1 + pixels_per_image),
                      few = images / (least_chunks * threads);
    return std::max<std::size_t>(1, std::min(many, few));
}

// The tables that a set of draws needs, looked up once so that threads read without a lock.
template <class Source>
class Tables {
public:
    using Table = typename decltype(std::declval<Source&>().get(0, 0, false))::element_type;

    Tables(const DrawFields& draws, std::int32_t height, std::int32_t width, std::int32_t out)
        : horizontal_(2 * (static_cast<std::size_t>(width) + 1)),
          vertical_(2 * (static_cast<std::size_t>(height) + 1)) {
        Source source;
        for (std::size_t view = 0; view < draws.views; ++view)
            for (std::size_t image = 0; image < draws.images; ++image) {
                const ViewDraw draw = draws.get(view, image);
                auto& along = horizontal_[place(draw.window.width, draw.flip)];
                if (!along) along = source.get(draw.window.width, out, draw.flip);
                auto& across = vertical_[place(draw.window.height, draw.flip_vertical)];
                if (!across) across = source.get(draw.window.height, out, draw.flip_vertical);
            }
    }
    Table& horizontal(const ViewDraw& draw) const {
        return *horizontal_[place(draw.window.width, draw.flip)];
    }
    Table& vertical(const ViewDraw& draw) const {
        return *vertical_[place(draw.window.height, draw.flip_vertical)];
    }

private:
    static std::size_t place(std::int32_t in, bool mirrored) {
        return 2 * static_cast<std::size_t>(in) + (mirrored ? 1 : 0);
    }

    std::vector<std::shared_ptr<Table>> horizontal_, vertical_;
};

template <class T>
PlaneView<const T> crop(PlaneView<const T> plane, const Window& window) {
    return {plane.row(window.top) + window.left, plane.stride, window.height, window.width};
}

// 8-bit views up to the blur: crop, resize, flip, turn, / 255, blur.
class ByteViews {
public:
    using Pixel = std::uint8_t;
    using Table = AxisTable;
    using Source = AxisTables;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    const ViewDraw& draw, const Kernels& use, float* out) {
        if (!(draw.blur_sigma > 0.0f)) return sharp(window, horizontal, vertical, draw, use, out);
        const std::int32_t size = horizontal.out;
        const auto side = static_cast<std::size_t>(size);
        float* const before = sharp_.room(side * side);
        sharp(window, horizontal, vertical, draw, use, before);
        blur({before, size, size, size}, draw.blur_sigma, use, rows_.room(3 * side), out);
    }

private:
    void sharp(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
               const ViewDraw& draw, const Kernels& use, float* out) {
        const bool passes = !(horizontal.identity && vertical.identity);
        if (passes && !draw.quarter_turns && use.resize_units && !vertical_first(horizontal, vertical) &&
            use.resize_units(window, horizontal, vertical, scratch_.between, out))
            return;
        Resampled resized = resample(window, horizontal, vertical, use, scratch_);
        if (draw.quarter_turns) resized = {turned(resized, draw.quarter_turns, use), nullptr};
        units(resized, use, out);
    }
    void units(const Resampled& resized, const Kernels& use, float* out) {
        if (resized.vertical && use.units && use.units(resized.plane, *resized.vertical, out)) return;
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
    static PlaneView<Pixel> plane_in(Scratch<Pixel>& storage, std::int32_t size) {
        const auto bytes = static_cast<std::size_t>(size) * static_cast<std::size_t>(padded(size));
        return {storage.room(bytes), padded(size), size, size};
    }
    static PlaneView<const Pixel> read_only(const PlaneView<Pixel>& plane) {
        return {plane.data, plane.stride, plane.height, plane.width};
    }

    ResampleScratch scratch_;
    Scratch<Pixel> pixels_, turned_;
    Scratch<float> sharp_, rows_;
};

// The same of 16-bit views, in float32, / 65535.
class WordViews {
public:
    using Pixel = std::uint16_t;
    using Table = FloatAxisTable;
    using Source = FloatAxisTables;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    const ViewDraw& draw, const Kernels& use, float* out) {
        const std::int32_t size = horizontal.out;
        const auto side = static_cast<std::size_t>(size);
        const int turns = draw.quarter_turns;
        const bool blurred = draw.blur_sigma > 0.0f;
        float* const sharp = blurred ? sharp_.room(side * side) : out;
        float* const unit =
            unit_.room(static_cast<std::size_t>(window.height) * static_cast<std::size_t>(window.width));
        float* target = unit;
        for (std::int32_t y = 0; y < window.height; ++y)
            target = std::transform(window.row(y), window.row(y) + window.width, target,
                                    [](Pixel pixel) { return static_cast<float>(pixel) / 65535.0f; });
        const PlaneView<float> resized{turns ? resized_.room(side * side) : sharp, size, size, size};
        float_resample({unit, window.width, window.height, window.width}, horizontal, vertical, between_,
                       resized);
        if (turns) quarter_turn<float>({resized.data, size, size, size}, turns, {sharp, size, size, size});
        if (!blurred) return;
        blur({sharp, size, size, size}, draw.blur_sigma, use, rows_.room(3 * side), out);
    }

private:
    Scratch<float> unit_, resized_, sharp_, rows_;
    std::vector<float> between_;
};

template <class Views>
void apply(const ViewedImages<typename Views::Pixel>& viewed, const DrawFields& draws,
           const ViewOutput& output, unsigned threads) {
    const auto& images = viewed.images;
    const Tables<typename Views::Source> tables(draws, images.height, images.width, output.size);
    const Kernels& use = kernels();
    const auto side = static_cast<std::size_t>(output.size);
    const std::size_t pixels = side * side;
    const std::size_t plane_bytes = pixels * pixel_bytes(output.type);
    const bool wide = output.type == PixelType::float32;
    const std::size_t chunk = images_per_chunk(draws.images, pixels * images.channels * draws.views, threads);
    parallel_for(draws.images, chunk, threads, [&](std::size_t begin, std::size_t end) {
        thread_local Views make;
        thread_local Scratch<float> narrowed;
        float* const before_narrowing = wide ? nullptr : narrowed.room(pixels);
        const auto fill = [&](std::size_t view, std::size_t image) {
            const ViewDraw draw = draws.get(view, image);
            const auto& along = tables.horizontal(draw);
            const auto& across = tables.vertical(draw);
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
