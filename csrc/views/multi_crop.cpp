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

// Images per task: many, so that neighbouring memory is written by one core; few enough for eight tasks a
// thread.
std::size_t images_per_chunk(std::size_t images, std::size_t pixels_per_image, unsigned threads) {
    constexpr std::size_t most_pixels = 64 * 64 * 64, least_chunks = 8; // of a thread
    const std::size_t many = 1 + most_pixels / (1 + pixels_per_image),
                      few = images / (least_chunks * threads);
    return std::max<std::size_t>(1, std::min(many, few));
}

// The tables that a set of params needs, looked up once so that threads read without a lock.
template <class Source>
class Tables {
public:
    using Table = typename decltype(std::declval<Source&>().get(0, 0, false))::element_type;

    Tables(const ViewParamsArray& params, std::int32_t height, std::int32_t width, std::int32_t out)
        : horizontal_(2 * (static_cast<std::size_t>(width) + 1)),
          vertical_(2 * (static_cast<std::size_t>(height) + 1)) {
        Source source;
        for (std::size_t view = 0; view < params.views; ++view)
            for (std::size_t image = 0; image < params.images; ++image) {
                const ViewParams view_params = params.get(view, image);
                auto& along = horizontal_[place(view_params.window.width, view_params.flip)];
                if (!along) along = source.get(view_params.window.width, out, view_params.flip);
                auto& across = vertical_[place(view_params.window.height, view_params.flip_vertical)];
                if (!across) across = source.get(view_params.window.height, out, view_params.flip_vertical);
            }
    }
    Table& horizontal(const ViewParams& view_params) const {
        return *horizontal_[place(view_params.window.width, view_params.flip)];
    }
    Table& vertical(const ViewParams& view_params) const {
        return *vertical_[place(view_params.window.height, view_params.flip_vertical)];
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
class ViewMakerU8 {
public:
    using Pixel = std::uint8_t;
    using Table = AxisTable;
    using Source = AxisTables;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    const ViewParams& view_params, const ViewKernels& use, float* out) {
        if (!(view_params.blur_sigma > 0.0f))
            return sharp(window, horizontal, vertical, view_params, use, out);
        const std::int32_t size = horizontal.out;
        const auto side = static_cast<std::size_t>(size);
        float* const before = sharp_.room(side * side);
        sharp(window, horizontal, vertical, view_params, use, before);
        blur({before, size, size, size}, view_params.blur_sigma, use, rows_.room(3 * side), out);
    }

private:
    void sharp(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
               const ViewParams& view_params, const ViewKernels& use, float* out) {
        const bool passes = !(horizontal.identity && vertical.identity);
        if (passes && !view_params.quarter_turns && use.try_resize_to_unit &&
            !vertical_first(horizontal, vertical) &&
            use.try_resize_to_unit(window, horizontal, vertical, scratch_.between, out))
            return;
        Resampled resized = resample(window, horizontal, vertical, use, scratch_);
        if (view_params.quarter_turns) resized = {turned(resized, view_params.quarter_turns, use), nullptr};
        units(resized, use, out);
    }
    void units(const Resampled& resized, const ViewKernels& use, float* out) {
        if (resized.vertical && use.try_vertical_to_unit &&
            use.try_vertical_to_unit(resized.plane, *resized.vertical, out))
            return;
        use.to_unit(finished(resized, use), out);
    }
    // After the last pass, in bytes.
    PlaneView<const Pixel> finished(const Resampled& resized, const ViewKernels& use) {
        if (!resized.vertical) return resized.plane;
        const PlaneView<Pixel> pixels = plane_in(pixels_, resized.plane.width, resized.plane.width);
        use.vertical(resized.plane, *resized.vertical, pixels);
        return pixels;
    }
    PlaneView<const Pixel> turned(const Resampled& resized, int turns, const ViewKernels& use) {
        const PlaneView<Pixel> turned = plane_in(turned_, resized.plane.width, resized.plane.width);
        rotate90<Pixel>(finished(resized, use), turns, turned);
        return turned;
    }

    ResampleScratch scratch_;
    Scratch<Pixel> pixels_, turned_;
    Scratch<float> sharp_, rows_;
};

// The same of 16-bit views, in float32, / 65535.
class ViewMakerU16 {
public:
    using Pixel = std::uint16_t;
    using Table = AxisTableF32;
    using Source = AxisTablesF32;

    void operator()(const PlaneView<const Pixel>& window, const Table& horizontal, const Table& vertical,
                    const ViewParams& view_params, const ViewKernels& use, float* out) {
        const std::int32_t size = horizontal.out;
        const auto side = static_cast<std::size_t>(size);
        const int turns = view_params.quarter_turns;
        const bool blurred = view_params.blur_sigma > 0.0f;
        float* const sharp = blurred ? sharp_.room(side * side) : out;
        float* const unit =
            unit_.room(static_cast<std::size_t>(window.height) * static_cast<std::size_t>(window.width));
        float* target = unit;
        for (std::int32_t y = 0; y < window.height; ++y)
            target = std::transform(window.row(y), window.row(y) + window.width, target,
                                    [](Pixel pixel) { return static_cast<float>(pixel) / 65535.0f; });
        const PlaneView<float> resized{turns ? resized_.room(side * side) : sharp, size, size, size};
        resample_f32({unit, window.width, window.height, window.width}, horizontal, vertical, between_,
                     resized);
        if (turns) rotate90<float>({resized.data, size, size, size}, turns, {sharp, size, size, size});
        if (!blurred) return;
        blur({sharp, size, size, size}, view_params.blur_sigma, use, rows_.room(3 * side), out);
    }

private:
    Scratch<float> unit_, resized_, sharp_, rows_;
    std::vector<float> between_;
};

template <class Views>
void apply(const ViewedImages<typename Views::Pixel>& viewed, const ViewParamsArray& params,
           const ViewOutput& output, unsigned threads) {
    const auto& images = viewed.images;
    const Tables<typename Views::Source> tables(params, images.height, images.width, output.size);
    const ViewKernels& use = view_kernels();
    const auto side = static_cast<std::size_t>(output.size);
    const std::size_t pixels = side * side;
    const std::size_t plane_bytes = pixels * pixel_bytes(output.type);
    const bool is_float32 = output.type == PixelType::float32;
    const std::size_t chunk =
        images_per_chunk(params.images, pixels * images.channels * params.views, threads);
    parallel_for(params.images, chunk, threads, [&](std::size_t begin, std::size_t end) {
        thread_local Views make;
        thread_local Scratch<float> float_plane;
        float* const before_cast = is_float32 ? nullptr : float_plane.room(pixels);
        const auto fill = [&](std::size_t view, std::size_t image) {
            const ViewParams view_params = params.get(view, image);
            const auto& along = tables.horizontal(view_params);
            const auto& across = tables.vertical(view_params);
            for (std::size_t channel = 0; channel < images.channels; ++channel) {
                char* target = static_cast<char*>(output.data) +
                               ((view * params.images + image) * images.channels + channel) * plane_bytes;
                float* plane = is_float32 ? reinterpret_cast<float*>(target) : before_cast;
                make(crop(images.plane(viewed.index(image), channel), view_params.window), along, across,
                     view_params, use, plane);
                if (params.brightness) apply_jitter(plane, pixels, params.jitter(view, image, channel));
                if (view_params.noise_sigma > 0.0f)
                    add_noise(plane, pixels, view_params.noise_sigma, view_params.noise_key,
                              static_cast<std::uint32_t>(channel));
                if (!output.mean.empty())
                    normalize(plane, pixels, output.mean[channel], output.deviation[channel]);
                if (!is_float32) cast_pixels(plane, pixels, output.type, target);
            }
        };
        // All views of an image one after the other, while it is in the cache.
        for (std::size_t image = begin; image < end; ++image)
            for (std::size_t view = 0; view < params.views; ++view)
                fill(view, image);
    });
}

} // namespace

void apply_views(const ViewedImages<std::uint8_t>& viewed, const ViewParamsArray& params,
                 const ViewOutput& output, unsigned threads) {
    apply<ViewMakerU8>(viewed, params, output, threads);
}

void apply_views(const ViewedImages<std::uint16_t>& viewed, const ViewParamsArray& params,
                 const ViewOutput& output, unsigned threads) {
    apply<ViewMakerU16>(viewed, params, output, threads);
}

} // namespace morphobench
