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
// in (N, C, height, width), params (P, N), out (P, N, C, size, size). The params must be checked.
void apply_byol_pair(const ImagesView<const float>& in, const ViewParamsArray& params, std::int32_t size,
                     Normalization normalization, unsigned threads, float* out);

} // namespace morphobench
