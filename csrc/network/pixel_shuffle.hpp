#pragma once

#include "network/subpixel_grid.hpp"

namespace morphobench {

// ReLU of the large image that a grid holds, its pixels put in place: (N, h + 1, w + 1, 4, F) to (N, 2h, 2w,
// F).
template <class T>
struct PixelShuffle {
    static void forward(const SubpixelGrid& shape, const T* grid, T* out);
    // The grid's gradient; every element is written, those that no pixel reads with zero.
    static void backward(const SubpixelGrid& shape, const T* gradient, const T* out, T* grid_gradient);
};

} // namespace morphobench
