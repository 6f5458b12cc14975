#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "view_law.hpp"
#include "views.hpp"

namespace morphobench {

// The draws of V views of N images, a field at a time, each (V, N).
struct DrawFields {
    FieldView<std::int32_t> top, left, height, width;
    FieldView<std::uint8_t> flip;
    FieldView<float> blur_sigma;
    std::size_t views, images;

    ViewDraw get(std::size_t view, std::size_t image) const;
    void set(std::size_t view, std::size_t image, const ViewDraw& draw) const;
};

// Draws every view of every image; view v of the array is view number first_view + v of the stream.
void draw_views(const ViewLaw& law, const std::int64_t* image_ids, std::uint64_t seed, std::uint32_t epoch,
                std::uint16_t first_view, std::int32_t height, std::int32_t width, unsigned threads,
                const DrawFields& draws);

// Which of the images are viewed, and where: the draws' image n is images[rows ? rows[n] : n].
struct ViewedImages {
    ImagesView<const std::uint8_t> images;
    const std::int64_t* rows;

    std::size_t index(std::size_t n) const { return rows ? static_cast<std::size_t>(rows[n]) : n; }
};

// Throws std::invalid_argument naming the first draw whose window leaves its image, is empty, or whose blur
// is negative or not finite.
void check_draws(const DrawFields& draws, std::int32_t height, std::int32_t width);

// Crop, resize to size x size, flip, / 255, blur: out is (V, N, C, size, size). The draws must be checked.
void apply_views(const ViewedImages& viewed, const DrawFields& draws, std::int32_t size, unsigned threads,
                 float* out);

} // namespace morphobench
