#pragma once

#include <cstddef>
#include <cstdint>

#include "core/array_view.hpp"
#include "core/vector.hpp"

namespace morphobench {

// The blur of ViewKernels, written once and inlined into kernels of every level: the same roundings
// everywhere.

// The row convolved along x; a single column reflects onto itself.
MORPHOBENCH_INLINE void blur_row(const float* __restrict in, std::int32_t width, float edge, float center,
                                 float* __restrict out) {
    const std::int32_t last = width - 1;
    const std::int32_t next_to_first = width > 1 ? 1 : 0;
    const std::int32_t next_to_last = width > 1 ? last - 1 : 0;
    for (std::int32_t x = 1; x < last; ++x)
        out[x] = edge * (in[x - 1] + in[x + 1]) + center * in[x];
    out[0] = edge * (in[next_to_first] + in[next_to_first]) + center * in[0];
    out[last] = edge * (in[next_to_last] + in[next_to_last]) + center * in[last];
}

MORPHOBENCH_INLINE void blur_plane(const PlaneView<const float>& in, float edge, float center, float* rows,
                                   float* __restrict out) {
    const std::int32_t height = in.height, width = in.width;
    const auto buffer = [&](std::int32_t y) { return rows + static_cast<std::ptrdiff_t>(y % 3) * width; };
    blur_row(in.row(0), width, edge, center, buffer(0));
    for (std::int32_t y = 0; y < height; ++y) {
        const std::int32_t next = y + 1 < height ? y + 1 : (y > 0 ? y - 1 : 0);
        const std::int32_t previous = y > 0 ? y - 1 : next;
        if (next > y) blur_row(in.row(next), width, edge, center, buffer(next));
        const float* __restrict above = buffer(previous);
        const float* __restrict here = buffer(y);
        const float* __restrict below = buffer(next);
        for (std::int32_t x = 0; x < width; ++x)
            out[x] = edge * (above[x] + below[x]) + center * here[x];
        out += width;
    }
}

} // namespace morphobench
