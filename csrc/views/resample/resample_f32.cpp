#include "views/resample/resample_f32.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "core/vector.hpp"
#include "dispatch/at_level.hpp"

namespace morphobench {

AxisTableF32::AxisTableF32(std::int32_t in_size, std::int32_t out_size, bool reversed)
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

namespace {

using Vector = Lanes<float>::Vector;
constexpr std::int32_t lanes = static_cast<std::int32_t>(Lanes<float>::count);

// Strips of 16 rows, turned so that rows lie side by side: then a tap is one weight for all of them.
MORPHOBENCH_INLINE void resample_rows(PlaneView<const float> in, const AxisTableF32& table, float* turned,
                                      PlaneView<float> out) {
    for (std::int32_t top = 0; top < in.height; top += lanes) {
        const std::int32_t rows = std::min(lanes, in.height - top);
        for (std::int32_t i = 0; i < rows; ++i)
            for (std::int32_t x = 0; x < in.width; ++x)
                turned[x * lanes + i] = in.row(top + i)[x];
        for (std::int32_t o = 0; o < table.out; ++o) {
            const float* pixels = turned + table.first[static_cast<std::size_t>(o)] * lanes;
            const float* weights = table.weights.data() + static_cast<std::ptrdiff_t>(o) * table.taps;
            Vector sum = {};
            for (std::int32_t t = 0; t < table.taps; ++t) {
                Vector column;
                load(column, pixels + t * lanes);
                sum += column * weights[t];
            }
            for (std::int32_t i = 0; i < rows; ++i)
                out.row(top + i)[o] = sum[i];
        }
    }
}

// `in` has room for whole vectors after its last row.
MORPHOBENCH_INLINE void resample_columns(PlaneView<const float> in, const AxisTableF32& table,
                                         PlaneView<float> out) {
    for (std::int32_t o = 0; o < table.out; ++o) {
        const float* weights = table.weights.data() + static_cast<std::ptrdiff_t>(o) * table.taps;
        for (std::int32_t x = 0; x < in.width; x += lanes) {
            const float* pixels = in.row(table.first[static_cast<std::size_t>(o)]) + x;
            Vector sum = {};
            for (std::int32_t t = 0; t < table.taps; ++t) {
                Vector row;
                load(row, pixels + t * in.stride);
                sum += row * weights[t];
            }
            float* target = out.row(o) + x;
            if (in.width - x >= lanes)
                store(target, sum);
            else
                std::memcpy(target, &sum, static_cast<std::size_t>(in.width - x) * sizeof *target);
        }
    }
}

} // namespace

void resample_f32(PlaneView<const float> window, const AxisTableF32& horizontal, const AxisTableF32& vertical,
                  std::vector<float>& scratch, PlaneView<float> out) {
    const auto turned = static_cast<std::size_t>(window.width) * lanes;
    const auto stretched = static_cast<std::size_t>(window.height) * static_cast<std::size_t>(horizontal.out);
    scratch.resize(turned + stretched + lanes);
    const PlaneView<float> rows{scratch.data() + turned, horizontal.out, window.height, horizontal.out};
    at_level<resample_rows>(window, horizontal, scratch.data(), rows);
    at_level<resample_columns>(PlaneView<const float>(rows), vertical, out);
}

} // namespace morphobench
