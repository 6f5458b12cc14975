#include "views/byol_pair.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/parallel_for.hpp"
#include "views/blur.hpp"
#include "views/photometric.hpp"
#include "views/resample/resample_f32.hpp"

namespace morphobench {

namespace {

constexpr std::size_t views_per_chunk = 4;

struct ByolScratch {
    std::vector<float> plane, blurred, rows, between;
};

using Tables = std::vector<std::unique_ptr<const AxisTableF32>>;

void add(Tables& tables, std::int32_t in, std::int32_t out) {
    auto& slot = tables[static_cast<std::size_t>(in)];
    if (!slot) slot = std::make_unique<const AxisTableF32>(in, out);
}

// A copy of `in`, mirrored left-right if asked.
PlaneView<const float> copy(PlaneView<const float> in, bool mirrored, std::vector<float>& storage) {
    storage.resize(static_cast<std::size_t>(in.height) * static_cast<std::size_t>(in.width));
    const PlaneView<float> out{storage.data(), in.width, in.height, in.width};
    for (std::int32_t y = 0; y < in.height; ++y) {
        if (mirrored)
            std::reverse_copy(in.row(y), in.row(y) + in.width, out.row(y));
        else
            std::copy(in.row(y), in.row(y) + in.width, out.row(y));
    }
    return out;
}

} // namespace

void apply_byol_pair(const ImagesView<const float>& in, const ViewParamsArray& params, std::int32_t size,
                     Normalization normalization, unsigned threads, float* out) {
    Tables horizontal(static_cast<std::size_t>(in.width) + 1),
        vertical(static_cast<std::size_t>(in.height) + 1);
    for (std::size_t view = 0; view < params.views; ++view)
        for (std::size_t image = 0; image < params.images; ++image) {
            add(horizontal, params.width.get(view, image), size);
            add(vertical, params.height.get(view, image), size);
        }
    const ViewKernels& use = view_kernels();
    const std::size_t pixels = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    parallel_for(
        params.views * params.images, views_per_chunk, threads, [&](std::size_t begin, std::size_t end) {
            thread_local ByolScratch scratch;
            scratch.rows.resize(3 * static_cast<std::size_t>(in.width));
            for (std::size_t i = begin; i < end; ++i) {
                const std::size_t image = i % params.images;
                const ViewParams view_params = params.get(i / params.images, image);
                const Window& window = view_params.window;
                for (std::size_t channel = 0; channel < in.channels; ++channel) {
                    PlaneView<const float> plane =
                        copy(in.plane(image, channel), view_params.flip, scratch.plane);
                    if (view_params.blur_sigma > 0.0f) {
                        scratch.blurred.resize(scratch.plane.size());
                        blur(plane, view_params.blur_sigma, use, scratch.rows.data(), scratch.blurred.data());
                        plane.data = scratch.blurred.data();
                    }
                    float* target = out + (i * in.channels + channel) * pixels;
                    resample_f32(
                        {plane.row(window.top) + window.left, plane.stride, window.height, window.width},
                        *horizontal[static_cast<std::size_t>(window.width)],
                        *vertical[static_cast<std::size_t>(window.height)], scratch.between,
                        {target, size, size, size});
                    for (std::size_t p = 0; p < pixels; ++p)
                        target[p] = (target[p] - normalization.mean) / normalization.deviation;
                }
            }
        });
}

} // namespace morphobench
