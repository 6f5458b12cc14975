#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/array_view.hpp"
#include "views/view_distribution.hpp"

namespace morphobench {

// The draws of V views of N images, a field at a time, each (V, N). The fields from flip_vertical on may be
// absent: then nothing of the kind is done.
struct DrawFields {
    FieldView<std::int32_t> top, left, height, width;
    FieldView<std::uint8_t> flip;
    FieldView<float> blur_sigma;
    std::size_t views, images;
    FieldView<std::uint8_t> flip_vertical, quarter_turns;
    FieldView<float> noise_sigma;
    FieldView<std::uint64_t> noise_key;
    FieldView<float> brightness, contrast; // a number for each channel

    ViewDraw get(std::size_t view, std::size_t image) const;
    Jitter jitter(std::size_t view, std::size_t image, std::size_t channel) const;
};

inline ViewDraw DrawFields::get(std::size_t view, std::size_t image) const {
    ViewDraw draw{};
    draw.window = {top.get(view, image), left.get(view, image), height.get(view, image),
                   width.get(view, image)};
    draw.flip = flip.get(view, image) != 0;
    draw.blur_sigma = blur_sigma.get(view, image);
    if (flip_vertical) draw.flip_vertical = flip_vertical.get(view, image) != 0;
    if (quarter_turns) draw.quarter_turns = quarter_turns.get(view, image);
    if (noise_sigma) draw.noise_sigma = noise_sigma.get(view, image);
    if (noise_key) draw.noise_key = noise_key.get(view, image);
    return draw;
}

// View numbers are of 16 bits.
constexpr std::size_t most_views = 0x10000;

// The law of each view of an image.
class ViewLaws {
public:
    // Lets the next `count` views be drawn by this law.
    void add(std::size_t count, const ViewLaw& law) {
        laws_.push_back(law);
        law_of_view_.insert(law_of_view_.end(), count, static_cast<std::uint32_t>(laws_.size() - 1));
    }
    std::size_t views() const { return law_of_view_.size(); }
    const ViewLaw& of_view(std::size_t view) const { return laws_[law_of_view_[view]]; }

private:
    std::vector<ViewLaw> laws_;
    std::vector<std::uint32_t> law_of_view_;
};

// Draws every view of every image; view v of the array, as many as the laws', is view number first_view + v
// of the stream.
void draw_views(const ViewLaws& laws, const std::int64_t* image_ids, std::uint64_t seed, std::uint32_t epoch,
                std::uint16_t first_view, std::int32_t height, std::int32_t width, unsigned threads,
                const DrawFields& draws);

// Throws std::invalid_argument naming the first draw whose window leaves its image or is empty, or whose
// blur, turns, noise or jitter is out of range.
void check_draws(const DrawFields& draws, std::int32_t height, std::int32_t width);

} // namespace morphobench
