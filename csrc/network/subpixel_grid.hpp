#pragma once

#include <algorithm>
#include <cstddef>

#include "dispatch/targets.hpp"

namespace morphobench {

// Upsampling x2 (nearest) and then a 3x3 convolution is one 2x2 convolution of the small image, (h, w), into
// four times the features, one group per phase (row parity, column parity) of the large image. With padding 1
// its result is a grid (N, h + 1, w + 1, 4, F); pixel (2i + a, 2j + b) of the large image is phase 2a + b of
// cell (i + a, j + b).
struct SubpixelGrid {
    std::size_t images, height, width, features; // of the small image; features a multiple of 32

    std::size_t cells() const { return (height + 1) * (width + 1) * 4 * features; }
    // Where pixel (y, x) of the large image stands in its image's grid.
    std::size_t at(std::size_t y, std::size_t x) const {
        const std::size_t a = y % 2, b = x % 2;
        return (((y / 2 + a) * (width + 1) + x / 2 + b) * 4 + 2 * a + b) * features;
    }
};

// Zeroes the phases of an image's grid that no pixel of the large image reads: they lie in border cells.
template <class T>
MORPHOBENCH_INLINE void zero_border(const SubpixelGrid& shape, T* grid) {
    const std::size_t cell = 4 * shape.features, row = (shape.width + 1) * cell;
    std::fill_n(grid, row, T{});
    std::fill_n(grid + shape.height * row, row, T{});
    for (std::size_t i = 1; i < shape.height; ++i) {
        std::fill_n(grid + i * row, cell, T{});
        std::fill_n(grid + i * row + shape.width * cell, cell, T{});
    }
}

} // namespace morphobench
