#include "multi_crop.hpp"

#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "blur.hpp"
#include "parallel_for.hpp"
#include "resample.hpp"

namespace morphobench {

namespace {

// What a thread takes at a time: enough to pay for the thread, few enough to share out evenly.
constexpr std::size_t views_per_chunk = 16;
constexpr std::size_t draws_per_chunk = 1024;

// The tables that a set of draws needs, looked up once so that threads read without a lock.
class AxisTables {
public:
    AxisTables(std::int32_t longest, std::int32_t out)
        : out_{out}, forward_(static_cast<std::size_t>(longest) + 1), mirrored_(forward_.size()) {}

    void add(std::int32_t in, bool mirrored) {
        auto& slot = (mirrored ? mirrored_ : forward_)[static_cast<std::size_t>(in)];
        if (!slot) slot = axis_tables().get(in, out_, mirrored);
    }
    const AxisTable& get(std::int32_t in, bool mirrored) const {
        return *(mirrored ? mirrored_ : forward_)[static_cast<std::size_t>(in)];
    }

private:
    std::int32_t out_;
    std::vector<std::shared_ptr<const AxisTable>> forward_, mirrored_;
};

// What a thread keeps from one view to the next.
struct Scratch {
    ResampleScratch resample;
    std::vector<std::uint8_t> pixels;
    std::vector<float> rows;
};

PlaneView<const std::uint8_t> crop(PlaneView<const std::uint8_t> plane, const Window& window) {
    return {plane.row(window.top) + window.left, plane.stride, window.height, window.width};
}

} // namespace

ViewDraw DrawFields::get(std::size_t view, std::size_t image) const {
    return {{top.get(view, image), left.get(view, image), height.get(view, image), width.get(view, image)},
            flip.get(view, image) != 0,
            blur_sigma.get(view, image)};
}

void DrawFields::set(std::size_t view, std::size_t image, const ViewDraw& draw) const {
    top.set(view, image, draw.window.top);
    left.set(view, image, draw.window.left);
    height.set(view, image, draw.window.height);
    width.set(view, image, draw.window.width);
    flip.set(view, image, draw.flip);
    blur_sigma.set(view, image, draw.blur_sigma);
}

void draw_views(const ViewLaw& law, const std::int64_t* image_ids, std::uint64_t seed, std::uint32_t epoch,
                std::uint16_t first_view, std::int32_t height, std::int32_t width, unsigned threads,
                const DrawFields& draws) {
    parallel_for(draws.views * draws.images, draws_per_chunk, threads,
                 [&](std::size_t begin, std::size_t end) {
                     for (std::size_t i = begin; i < end; ++i) {
                         const std::size_t view = i / draws.images, image = i % draws.images;
                         const ViewStream stream(seed, epoch, image_ids[image],
                                                 static_cast<std::uint16_t>(first_view + view));
                         draws.set(view, image, law.draw(height, width, stream));
                     }
                 });
}

void check_draws(const DrawFields& draws, std::int32_t height, std::int32_t width) {
    for (std::size_t view = 0; view < draws.views; ++view)
        for (std::size_t image = 0; image < draws.images; ++image) {
            const auto [window, flip, blur_sigma] = draws.get(view, image);
            (void)flip;
            const auto where = [&] {
                return "params[" + std::to_string(view) + ", " + std::to_string(image) + "]: ";
            };
            if (window.height < 1 || window.width < 1 || window.top < 0 || window.left < 0 ||
                window.height > height || window.width > width || window.top > height - window.height ||
                window.left > width - window.width)
                throw std::invalid_argument(
                    where() + "a window inside the " + std::to_string(height) + " x " +
                    std::to_string(width) + " image wanted, got top " + std::to_string(window.top) +
                    ", left " + std::to_string(window.left) + ", height " + std::to_string(window.height) +
                    ", width " + std::to_string(window.width));
            if (!(blur_sigma >= 0.0f) || !std::isfinite(blur_sigma))
                throw std::invalid_argument(where() + "a finite blur_sigma of at least 0 wanted, got " +
                                            std::to_string(blur_sigma));
        }
}

void apply_views(const ViewedImages& viewed, const DrawFields& draws, std::int32_t size, unsigned threads,
                 float* out) {
    const ImagesView<const std::uint8_t>& images = viewed.images;
    AxisTables horizontal(images.width, size), vertical(images.height, size);
    for (std::size_t view = 0; view < draws.views; ++view)
        for (std::size_t image = 0; image < draws.images; ++image) {
            horizontal.add(draws.width.get(view, image), draws.flip.get(view, image) != 0);
            vertical.add(draws.height.get(view, image), false);
        }
    const Kernels& use = kernels();
    const std::size_t pixels = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    parallel_for(
        draws.views * draws.images, views_per_chunk, threads, [&](std::size_t begin, std::size_t end) {
            thread_local Scratch scratch;
            scratch.pixels.resize(static_cast<std::size_t>(size) * static_cast<std::size_t>(padded(size)));
            scratch.rows.resize(3 * static_cast<std::size_t>(size));
            const PlaneView<std::uint8_t> resized{scratch.pixels.data(), padded(size), size, size};
            for (std::size_t i = begin; i < end; ++i) {
                const std::size_t image = i % draws.images;
                const ViewDraw draw = draws.get(i / draws.images, image);
                for (std::size_t channel = 0; channel < images.channels; ++channel) {
                    float* target = out + (i * images.channels + channel) * pixels;
                    resample(crop(images.plane(viewed.index(image), channel), draw.window),
                             horizontal.get(draw.window.width, draw.flip),
                             vertical.get(draw.window.height, false), use, scratch.resample, resized);
                    use.to_unit({resized.data, resized.stride, size, size}, target);
                    if (draw.blur_sigma > 0.0f)
                        blur({target, size, size, size}, draw.blur_sigma, use, scratch.rows.data());
                }
            }
        });
}

} // namespace morphobench
