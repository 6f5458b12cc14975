#pragma once

#include <cstddef>
#include <cstdint>

namespace morphobench {

// The encoder's first layer: 3x3 convolution with padding 1, 2x2 max-pool, ReLU, without the convolution's
// output ever leaving the registers. Images are (N, C, H, W), H and W even; pooled values (N, H/2, W/2, F), F
// a multiple of 32; weights (C, 9, F). `choice` (like the pooled values) says which of the four pixels of a
// pool won, row by row, 4 where the ReLU is zero.
struct StemShape {
    std::size_t images, channels, height, width, features;
};

void stem_forward(const StemShape& shape, const float* images, const float* weight, const float* bias,
                  float* out, std::uint8_t* choice);
void stem_forward(const StemShape& shape, const double* images, const double* weight, const double* bias,
                  double* out, std::uint8_t* choice);

// Gradients of weight (C, 9, F) and bias (F) from the pooled values' gradient; both are overwritten.
void stem_backward(const StemShape& shape, const float* images, const float* gradient,
                   const std::uint8_t* choice, float* weight_gradient, float* bias_gradient);
void stem_backward(const StemShape& shape, const double* images, const double* gradient,
                   const std::uint8_t* choice, double* weight_gradient, double* bias_gradient);

} // namespace morphobench
