#pragma once

#include <cstdint>

#include "core/array_view.hpp"
#include "views/view_params.hpp"

namespace morphobench {

// x -> (x - mean) / deviation, for every channel alike.
struct Normalization {
    float mean, deviation;
};

// Flip, blur, crop and resize to size x size, normalize: BYOL's further views of views already made.
// in (N, C, height, width), draws (P, N), out (P, N, C, size, size). The draws must be checked.
void apply_pair_views(const ImagesView<const float>& in, const DrawFields& draws, std::int32_t size,
                      Normalization normalization, unsigned threads, float* out);

} // namespace morphobench
