#include "views/resample/resample_u8.hpp"

#include <cstddef>
#include <cstring>

namespace morphobench {

// Pillow takes the rows first where the height loses more than twice what the width loses (Pillow 13; earlier
// versions never do).
bool vertical_first(const AxisTable& horizontal, const AxisTable& vertical) {
    return vertical.in > vertical.out && vertical.in - vertical.out > 2 * (horizontal.in - horizontal.out);
}

namespace {

// The window itself if its rows are whole blocks, else a copy with padded rows: the bytes after the last row
// of an image may not be ours to read.
PlaneView<const std::uint8_t> padded_rows(const PlaneView<const std::uint8_t>& window,
                                          Scratch<std::uint8_t>& storage) {
    if (window.width == padded(window.width)) return window;
    const PlaneView<std::uint8_t> copy = plane_in(storage, window.height, window.width);
    for (std::int32_t y = 0; y < window.height; ++y)
        std::memcpy(copy.row(y), window.row(y), static_cast<std::size_t>(window.width));
    return copy;
}

} // namespace

Resampled resample(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                   const AxisTable& vertical, const ViewKernels& use, ResampleScratch& scratch) {
    if (horizontal.identity && vertical.identity) return {window, nullptr};
    if (horizontal.identity) return {padded_rows(window, scratch.copied), &vertical};
    if (vertical_first(horizontal, vertical)) {
        const PlaneView<std::uint8_t> shrunk = plane_in(scratch.between, vertical.out, window.width);
        use.vertical(padded_rows(window, scratch.copied), vertical, shrunk);
        // The copy has been read: its memory is free.
        const PlaneView<std::uint8_t> resized = plane_in(scratch.copied, vertical.out, horizontal.out);
        use.horizontal(shrunk, horizontal, resized);
        return {resized, nullptr};
    }
    const PlaneView<std::uint8_t> stretched = plane_in(scratch.between, window.height, horizontal.out);
    use.horizontal(window, horizontal, stretched);
    return {stretched, vertical.identity ? nullptr : &vertical};
}

} // namespace morphobench
