#pragma once

#include <cstdint>

#include "core/array_view.hpp"

namespace morphobench {

// Turns a square plane counter-clockwise by `turns` quarters, as numpy.rot90, into `out` (contiguous or not).
template <class T>
void rotate90(PlaneView<const T> in, int turns, PlaneView<T> out) {
    const std::int32_t last = in.height - 1;
    for (std::int32_t y = 0; y <= last; ++y) {
        T* target = out.row(y);
        for (std::int32_t x = 0; x <= last; ++x) {
            if (turns == 1)
                target[x] = in.row(x)[last - y];
            else if (turns == 2)
                target[x] = in.row(last - y)[last - x];
            else if (turns == 3)
                target[x] = in.row(last - x)[y];
            else
                target[x] = in.row(y)[x];
        }
    }
}

} // namespace morphobench
