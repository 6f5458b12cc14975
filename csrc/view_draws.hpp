#pragma once

#include <cstddef>
#include <cstdint>

#include "view_law.hpp"
#include "views.hpp"

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

// Draws every view of every image; view v of the array is view number first_view + v of the stream.
void draw_views(const ViewLaw& law, const std::int64_t* image_ids, std::uint64_t seed, std::uint32_t epoch,
                std::uint16_t first_view, std::int32_t height, std::int32_t width, unsigned threads,
                const DrawFields& draws);

// Throws std::invalid_argument naming the first draw whose window leaves its image or is empty, or whose
// blur, turns, noise or jitter is out of range.
void check_draws(const DrawFields& draws, std::int32_t height, std::int32_t width);

} // namespace morphobench
