#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/array_view.hpp"
#include "views/pixel_cast.hpp"
#include "views/view_params.hpp"

namespace morphobench {

// Which of the images are viewed, and where: the params' image n is images[rows ? rows[n] : n].
template <class Pixel>
struct ViewedImages {
    ImagesView<const Pixel> images;
    const std::int64_t* rows;

    std::size_t index(std::size_t n) const { return rows ? static_cast<std::size_t>(rows[n]) : n; }
};

// Where the views go: (V, N, C, size, size) pixels of a type, each channel normalized by (x - mean) /
// deviation unless both are empty.
struct ViewOutput {
    void* data;
    PixelType type;
    std::int32_t size;
    std::vector<float> mean, deviation;
};

// Crop, resize, flip, turn, divide by the largest pixel value, blur, jitter, add noise, normalize; in that
// order. The params must be checked. 8-bit images are resized as Pillow does, 16-bit ones in float32 as torch
// does.
void apply_views(const ViewedImages<std::uint8_t>& viewed, const ViewParamsArray& params,
                 const ViewOutput& output, unsigned threads);
void apply_views(const ViewedImages<std::uint16_t>& viewed, const ViewParamsArray& params,
                 const ViewOutput& output, unsigned threads);

} // namespace morphobench
