#pragma once

#include <cstdint>

#include "core/array_view.hpp"
#include "core/scratch.hpp"
#include "views/kernels/kernels.hpp"
#include "views/resample/axis_table.hpp"

namespace morphobench {

// What a thread keeps from one resize to the next.
struct ResampleScratch {
    Scratch<std::uint8_t> copied, between;
};

// Result of all passes but the last. `vertical` is the table of the remaining pass along columns, or null if
// none is needed. If there is one, the rows of `plane` are padded.
struct Resampled {
    PlaneView<const std::uint8_t> plane;
    const AxisTable* vertical;
};

// Whether the pass along columns comes first: each pass rounds to 8 bits, so their order shows.
bool vertical_first(const AxisTable& horizontal, const AxisTable& vertical);

// Resizes a window of an image, bilinear and antialiased, to exactly the pixels of Pillow 13 (mode L). The
// tables say from and to which size, and whether mirrored. What is returned is valid until the next call.
Resampled resample(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                   const AxisTable& vertical, const ViewKernels& use, ResampleScratch& scratch);

} // namespace morphobench
