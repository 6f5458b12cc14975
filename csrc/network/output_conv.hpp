#pragma once

#include "network/subpixel_grid.hpp"

namespace morphobench {

// The decoder's last layer: ReLU of the large image that a grid holds, without making that image, then 3x3
// convolution with padding 1 to C channels. weight (C, 9, F), bias (C), logits (N, C, 2h, 2w).
template <class T>
struct OutputConv {
    static void forward(const SubpixelGrid& shape, std::size_t channels, const T* grid, const T* weight,
                        const T* bias, T* logits);
    // The gradients of grid and weight from those of the logits; every element is written.
    static void backward(const SubpixelGrid& shape, std::size_t channels, const T* gradient, const T* grid,
                         const T* weight, T* grid_gradient, T* weight_gradient);
};

} // namespace morphobench
