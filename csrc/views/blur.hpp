#pragma once

#include "core/array_view.hpp"
#include "views/kernels/kernels.hpp"

namespace morphobench {

// A Gaussian blur of 3 x 3 taps into `out`, borders reflected without repeating the edge, as torchvision's
// gaussian_blur with kernel_size 3. sigma > 0, in pixels; `rows` holds 3 * width numbers.
void blur(const PlaneView<const float>& in, float sigma, const ViewKernels& use, float* rows, float* out);

} // namespace morphobench
