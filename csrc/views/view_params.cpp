#include "views/view_params.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "core/parallel_for.hpp"
#include "views/view_params_simd.hpp"

namespace morphobench {

namespace {

// What a thread takes at a time: enough to pay for waking it.
constexpr std::size_t blocks_per_chunk = 8;

void set(const WritableViewParams& fields, std::size_t view, std::size_t image,
         const ViewParams& view_params) {
    fields.top.set(view, image, view_params.window.top);
    fields.left.set(view, image, view_params.window.left);
    fields.height.set(view, image, view_params.window.height);
    fields.width.set(view, image, view_params.window.width);
    fields.flip.set(view, image, view_params.flip);
    fields.blur_sigma.set(view, image, view_params.blur_sigma);
    if (fields.flip_vertical) fields.flip_vertical.set(view, image, view_params.flip_vertical);
    if (fields.quarter_turns) fields.quarter_turns.set(view, image, view_params.quarter_turns);
    if (fields.noise_sigma) fields.noise_sigma.set(view, image, view_params.noise_sigma);
    if (fields.noise_key) fields.noise_key.set(view, image, view_params.noise_key);
}

bool is_size(float value) { return value >= 0.0f && std::isfinite(value); }

// What is wrong with the parameters of one view; empty if nothing is.
std::string fault(const ViewParams& view_params, std::int32_t height, std::int32_t width) {
    const Window& window = view_params.window;
    if (window.height < 1 || window.width < 1 || window.top < 0 || window.left < 0 ||
        window.top > height - window.height || window.left > width - window.width)
        return "window must lie inside the " + std::to_string(height) + " x " + std::to_string(width) +
               " image, got top " + std::to_string(window.top) + ", left " + std::to_string(window.left) +
               ", height " + std::to_string(window.height) + ", width " + std::to_string(window.width);
    if (!is_size(view_params.blur_sigma))
        return "blur_sigma must be finite and at least 0, got " + std::to_string(view_params.blur_sigma);
    if (view_params.quarter_turns > 3)
        return "quarter_turns must be 0 to 3, got " + std::to_string(view_params.quarter_turns);
    if (!is_size(view_params.noise_sigma))
        return "noise_sigma must be finite and at least 0, got " + std::to_string(view_params.noise_sigma);
    return {};
}

std::string fault(const Jitter& jitter) {
    for (const float factor : {jitter.brightness, jitter.contrast})
        if (!is_size(factor))
            return "brightness and contrast must be finite and at least 0, got " + std::to_string(factor);
    return {};
}

} // namespace

void draw_view_params(const ViewDistributions& distributions, const std::int64_t* image_ids,
                      std::uint64_t seed, std::uint32_t epoch, std::uint16_t first_view, std::int32_t height,
                      std::int32_t width, unsigned threads, const WritableViewParams& params) {
    const std::size_t channels = params.brightness ? params.brightness.length : 0;
    const auto draw_some = [&](std::size_t view, std::size_t begin, std::size_t end) {
        const auto number = static_cast<std::uint16_t>(first_view + view);
        const ViewDistribution& distribution = distributions.of_view(view);
        ViewParamsLanes lanes{};
        for (std::size_t i = 0; i < end - begin; ++i) {
            const auto id = static_cast<std::uint64_t>(image_ids[begin + i]);
            lanes.image_low[i] = static_cast<std::uint32_t>(id);
            lanes.image_high[i] = static_cast<std::uint32_t>(id >> 32);
        }
        lanes.sample(distribution, height, width, seed, epoch, number);
        for (std::size_t i = 0; i < end - begin; ++i) {
            const std::size_t image = begin + i;
            const ViewStream stream(seed, epoch, image_ids[image], number);
            ViewParams drawn{};
            if (lanes.fits[i]) {
                drawn.window = {lanes.top[i], lanes.left[i], lanes.height[i], lanes.width[i]};
                drawn.flip = lanes.flip[i] != 0;
                drawn.blur_sigma = lanes.blur_sigma[i];
                distribution.sample_rest(stream, drawn);
            } else {
                drawn = distribution.sample(height, width, stream);
            }
            set(params, view, image, drawn);
            for (std::size_t channel = 0; channel < channels; ++channel) {
                const Jitter jitter = distribution.jitter(static_cast<std::uint16_t>(channel), stream);
                params.brightness.set(view, image, jitter.brightness, channel);
                params.contrast.set(view, image, jitter.contrast, channel);
            }
        }
    };
    const std::size_t blocks = (params.images + ViewParamsLanes::count - 1) / ViewParamsLanes::count;
    parallel_for(params.views * blocks, blocks_per_chunk, threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t first = i % blocks * ViewParamsLanes::count;
            draw_some(i / blocks, first, std::min(first + ViewParamsLanes::count, params.images));
        }
    });
}

void validate_view_params(const ViewParamsArray& params, std::int32_t height, std::int32_t width) {
    const std::size_t channels = params.brightness ? params.brightness.length : 0;
    for (std::size_t view = 0; view < params.views; ++view)
        for (std::size_t image = 0; image < params.images; ++image) {
            const ViewParams view_params = params.get(view, image);
            std::string wrong = fault(view_params, height, width);
            for (std::size_t channel = 0; channel < channels && wrong.empty(); ++channel)
                wrong = fault(params.jitter(view, image, channel));
            if (!wrong.empty())
                throw std::invalid_argument("params[" + std::to_string(view) + ", " + std::to_string(image) +
                                            "]: " + wrong);
        }
}

} // namespace morphobench
