#include "float_resample.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace morphobench {

FloatAxisTable::FloatAxisTable(std::int32_t in_size, std::int32_t out_size, bool reversed)
    : in{in_size}, out{out_size} {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    const float support = scale < 1.0f ? 1.0f : scale;
    const float inverse = 1.0f / support;
    taps = std::min(in, 2 * static_cast<std::int32_t>(std::ceil(support)) + 1);
    weights.assign(static_cast<std::size_t>(out) * static_cast<std::size_t>(taps), 0.0f);
    for (std::int32_t o = 0; o < out; ++o) {
        const std::int32_t output = reversed ? out - 1 - o : o;
        const float center = scale * (static_cast<float>(output) + 0.5f);
        const auto low = static_cast<std::int32_t>(center - support + 0.5f);
        const auto high = static_cast<std::int32_t>(center + support + 0.5f);
        const std::int32_t begin = low < 0 ? 0 : low;
        const std::int32_t end = std::min(high > in ? in : high, begin + taps);
        const std::int32_t shift = std::max(0, begin + taps - in);
        float* row = weights.data() + static_cast<std::ptrdiff_t>(o) * taps + shift;
        float sum = 0.0f;
        for (std::int32_t x = begin; x < end; ++x) {
            const float distance = std::fabs((static_cast<float>(x) - center + 0.5f) * inverse);
            row[x - begin] = distance < 1.0f ? 1.0f - distance : 0.0f;
            sum += row[x - begin];
        }
        for (std::int32_t x = begin; x < end && sum != 0.0f; ++x)
            row[x - begin] /= sum;
        first.push_back(begin - shift);
    }
}

void float_resample(PlaneView<const float> window, const FloatAxisTable& horizontal,
                    const FloatAxisTable& vertical, std::vector<float>& between, PlaneView<float> out) {
    between.resize(static_cast<std::size_t>(window.height) * static_cast<std::size_t>(horizontal.out));
    const PlaneView<float> rows{between.data(), horizontal.out, window.height, horizontal.out};
    for (std::int32_t y = 0; y < window.height; ++y) {
        float* target = rows.row(y);
        for (std::int32_t o = 0; o < horizontal.out; ++o) {
            const float* pixels = window.row(y) + horizontal.first[static_cast<std::size_t>(o)];
            const float* weights =
                horizontal.weights.data() + static_cast<std::ptrdiff_t>(o) * horizontal.taps;
            float sum = 0.0f;
            for (std::int32_t t = 0; t < horizontal.taps; ++t)
                sum += pixels[t] * weights[t];
            target[o] = sum;
        }
    }
    for (std::int32_t o = 0; o < vertical.out; ++o) {
        float* target = out.row(o);
        const float* weights = vertical.weights.data() + static_cast<std::ptrdiff_t>(o) * vertical.taps;
        std::fill(target, target + out.width, 0.0f);
        for (std::int32_t t = 0; t < vertical.taps; ++t) {
            const float* source = rows.row(vertical.first[static_cast<std::size_t>(o)] + t);
            for (std::int32_t x = 0; x < out.width; ++x)
                target[x] += source[x] * weights[t];
        }
    }
}

} // namespace morphobench
