#include "views/blur.hpp"

#include "core/portable_math.hpp"

namespace morphobench {

void blur(const PlaneView<const float>& in, float sigma, const ViewKernels& use, float* rows, float* out) {
    const double edge = portable_exp(-0.5 / (static_cast<double>(sigma) * static_cast<double>(sigma)));
    const double sum = 1.0 + 2.0 * edge;
    use.blur(in, static_cast<float>(edge / sum), static_cast<float>(1.0 / sum), rows, out);
}

} // namespace morphobench
