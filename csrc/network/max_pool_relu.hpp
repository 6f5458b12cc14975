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

template <class T>
struct MaxPoolRelu {
    static void forward(const PoolShape& shape, const T* in, T* out, std::uint8_t* choice);
    // The gradient of `in` (N, H, W, F); every element is written.
    static void backward(const PoolShape& shape, const T* gradient, const std::uint8_t* choice,
                         T* in_gradient);
};

} // namespace morphobench
