#pragma once

#include <cstddef>
#include <cstdint>

namespace morphobench {

// The encoder's first layer: 3x3 convolution with padding 1, 2x2 max-pool, ReLU, without the convolution's
// output ever leaving the registers. Images are (N, C, H, W), H and W even; pooled values (N, H/2, W/2, F), F
// a multiple of 32; weights (C, 9, F). `choice` (like the pooled values) says which of the four pixels of a
// pool won, row by row, 4 where the ReLU is zero.
struct ConvPoolShape {
    std::size_t images, channels, height, width, features;
};

template <class T>
struct ConvPoolStem {
    static void forward(const ConvPoolShape& shape, const T* images, const T* weight, const T* bias, T* out,
                        std::uint8_t* choice);
    // Gradients of weight (C, 9, F) and bias (F) from the pooled values' gradient; both are overwritten.
    static void backward(const ConvPoolShape& shape, const T* images, const T* gradient,
                         const std::uint8_t* choice, T* weight_gradient, T* bias_gradient);
};

} // namespace morphobench
