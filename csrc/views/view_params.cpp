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

void set(const DrawFields& fields, std::size_t view, std::size_t image, const ViewDraw& draw) {
    fields.top.set(view, image, draw.window.top);
    fields.left.set(view, image, draw.window.left);
    fields.height.set(view, image, draw.window.height);
    fields.width.set(view, image, draw.window.width);
    fields.flip.set(view, image, draw.flip);
    fields.blur_sigma.set(view, image, draw.blur_sigma);
    if (fields.flip_vertical) fields.flip_vertical.set(view, image, draw.flip_vertical);
    if (fields.quarter_turns) fields.quarter_turns.set(view, image, draw.quarter_turns);
    if (fields.noise_sigma) fields.noise_sigma.set(view, image, draw.noise_sigma);
    if (fields.noise_key) fields.noise_key.set(view, image, draw.noise_key);
}

bool right(const ViewDraw& draw, std::int32_t height, std::int32_t width) {
    const Window& window = draw.window;
    return window.height >= 1 && window.width >= 1 && window.top >= 0 && window.left >= 0 &&
           window.height <= height && window.width <= width && window.top <= height - window.height &&
           window.left <= width - window.width && draw.blur_sigma >= 0.0f && std::isfinite(draw.blur_sigma) &&
           draw.quarter_turns <= 3 && draw.noise_sigma >= 0.0f && std::isfinite(draw.noise_sigma);
}

// The first thing wrong with a draw that is not right.
std::string fault(const ViewDraw& draw, std::int32_t height, std::int32_t width) {
    const Window& window = draw.window;
    if (!right({window, draw.flip, 0.0f, draw.flip_vertical, 0, 0.0f, 0}, height, width))
        return "a window inside the " + std::to_string(height) + " x " + std::to_string(width) +
               " image wanted, got top " + std::to_string(window.top) + ", left " +
               std::to_string(window.left) + ", height " + std::to_string(window.height) + ", width " +
               std::to_string(window.width);
    if (!(draw.blur_sigma >= 0.0f) || !std::isfinite(draw.blur_sigma))
        return "a finite blur_sigma of at least 0 wanted, got " + std::to_string(draw.blur_sigma);
    if (draw.quarter_turns > 3)
        return "quarter_turns of 0 to 3 wanted, got " + std::to_string(draw.quarter_turns);
    return "a finite noise_sigma of at least 0 wanted, got " + std::to_string(draw.noise_sigma);
}

std::string fault(const Jitter& jitter) {
    for (const float factor : {jitter.brightness, jitter.contrast})
        if (!(factor >= 0.0f) || !std::isfinite(factor))
            return "finite brightness and contrast of at least 0 wanted, got " + std::to_string(factor);
    return {};
}

} // namespace

Jitter DrawFields::jitter(std::size_t view, std::size_t image, std::size_t channel) const {
    return {brightness ? brightness.get(view, image, channel) : 1.0f,
            contrast ? contrast.get(view, image, channel) : 1.0f};
}

void draw_views(const ViewLaws& laws, const std::int64_t* image_ids, std::uint64_t seed, std::uint32_t epoch,
                std::uint16_t first_view, std::int32_t height, std::int32_t width, unsigned threads,
                const DrawFields& draws) {
    const std::size_t channels = draws.brightness ? draws.brightness.length : 0;
    const auto draw_some = [&](std::size_t view, std::size_t begin, std::size_t end) {
        const auto number = static_cast<std::uint16_t>(first_view + view);
        const ViewLaw& law = laws.of_view(view);
        DrawLanes lanes{};
        for (std::size_t i = 0; i < end - begin; ++i) {
            const auto id = static_cast<std::uint64_t>(image_ids[begin + i]);
            lanes.image_low[i] = static_cast<std::uint32_t>(id);
            lanes.image_high[i] = static_cast<std::uint32_t>(id >> 32);
        }
        lanes.draw(law, height, width, seed, epoch, number);
        for (std::size_t i = 0; i < end - begin; ++i) {
            const std::size_t image = begin + i;
            const ViewStream stream(seed, epoch, image_ids[image], number);
            ViewDraw drawn{};
            if (lanes.fits[i]) {
                drawn.window = {lanes.top[i], lanes.left[i], lanes.height[i], lanes.width[i]};
                drawn.flip = lanes.flip[i] != 0;
                drawn.blur_sigma = lanes.blur_sigma[i];
                law.draw_further(stream, drawn);
            } else {
                drawn = law.draw(height, width, stream);
            }
            set(draws, view, image, drawn);
            for (std::size_t channel = 0; channel < channels; ++channel) {
                const Jitter jitter = law.jitter(static_cast<std::uint16_t>(channel), stream);
                draws.brightness.set(view, image, jitter.brightness, channel);
                draws.contrast.set(view, image, jitter.contrast, channel);
            }
        }
    };
    const std::size_t blocks = (draws.images + DrawLanes::count - 1) / DrawLanes::count;
    parallel_for(draws.views * blocks, blocks_per_chunk, threads, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t first = i % blocks * DrawLanes::count;
            draw_some(i / blocks, first, std::min(first + DrawLanes::count, draws.images));
        }
    });
}

void check_draws(const DrawFields& draws, std::int32_t height, std::int32_t width) {
    const std::size_t channels = draws.brightness ? draws.brightness.length : 0;
    for (std::size_t view = 0; view < draws.views; ++view)
        for (std::size_t image = 0; image < draws.images; ++image) {
            const ViewDraw draw = draws.get(view, image);
            std::string wrong = right(draw, height, width) ? std::string() : fault(draw, height, width);
            for (std::size_t channel = 0; channel < channels && wrong.empty(); ++channel)
                wrong = fault(draws.jitter(view, image, channel));
            if (!wrong.empty())
                throw std::invalid_argument("params[" + std::to_string(view) + ", " + std::to_string(image) +
                                            "]: " + wrong);
        }
}

} // namespace morphobench
