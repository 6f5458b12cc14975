#pragma once

#include <cstddef>
#include <cstdint>

namespace morphobench {

// 2x2 max-pool, then ReLU, features last: (N, H, W, F) to (N, H/2, W/2, F), H and W even, F a multiple of 32.
// `choice`, shaped as the pooled values, says which of the four pixels won, row by row, 4 where the ReLU is
// zero.
struct PoolShape {
    std::size_t images, height, width, features;
};

void pool_forward(const PoolShape& shape, const float* in, float* out, std::uint8_t* choice);
void pool_forward(const PoolShape& shape, const double* in, double* out, std::uint8_t* choice);

// The gradient of `in` (N, H, W, F); every element is written.
void pool_backward(const PoolShape& shape, const float* gradient, const std::uint8_t* choice,
                   float* in_gradient);
void pool_backward(const PoolShape& shape, const double* gradient, const std::uint8_t* choice,
                   double* in_gradient);

} // namespace morphobench
