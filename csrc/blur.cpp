#include "blur.hpp"

#include "portable_math.hpp"

namespace morphobench {

BlurTaps::BlurTaps(float sigma) {
    const double weight = portable_exp(-0.5 / (static_cast<double>(sigma) * static_cast<double>(sigma)));
    const double sum = 1.0 + 2.0 * weight;
    edge = static_cast<float>(weight / sum);
    center = static_cast<float>(1.0 / sum);
}

void blur(const PlaneView<const float>& in, float sigma, const Kernels& use, float* rows, float* out) {
    const BlurTaps taps(sigma);
    use.blur(in, taps.edge, taps.center, rows, out);
}

} // namespace morphobench
