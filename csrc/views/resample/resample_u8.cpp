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

// A plane in `storage` whose rows have the room that kernels ask for.
PlaneView<std::uint8_t> plane_in(Scratch<std::uint8_t>& storage, std::int32_t height, std::int32_t width) {
    const std::int32_t stride = padded(width);
    const std::size_t size = static_cast<std::size_t>(height) * static_cast<std::size_t>(stride);
    return {storage.room(size), stride, height, width};
}

PlaneView<const std::uint8_t> read_only(const PlaneView<std::uint8_t>& plane) {
    return {plane.data, plane.stride, plane.height, plane.width};
}

// The window itself where its rows are whole blocks, else a copy with room after each row: the bytes after
// the last row of an image may not be ours to read.
PlaneView<const std::uint8_t> with_room(const PlaneView<const std::uint8_t>& window,
                                        Scratch<std::uint8_t>& storage) {
    if (window.width == padded(window.width)) return window;
    const PlaneView<std::uint8_t> copy = plane_in(storage, window.height, window.width);
    for (std::int32_t y = 0; y < window.height; ++y)
        std::memcpy(copy.row(y), window.row(y), static_cast<std::size_t>(window.width));
    return read_only(copy);
}

} // namespace

Resampled resample(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                   const AxisTable& vertical, const Kernels& use, ResampleScratch& scratch) {
    if (horizontal.identity && vertical.identity) return {window, nullptr};
    if (horizontal.identity) return {with_room(window, scratch.copied), &vertical};
    if (vertical_first(horizontal, vertical)) {
        const PlaneView<std::uint8_t> shrunk = plane_in(scratch.between, vertical.out, window.width);
        use.vertical(with_room(window, scratch.copied), vertical, shrunk);
        // The copy has been read: its memory is free.
        const PlaneView<std::uint8_t> resized = plane_in(scratch.copied, vertical.out, horizontal.out);
        use.horizontal(read_only(shrunk), horizontal, resized);
        return {read_only(resized), nullptr};
    }
    const PlaneView<std::uint8_t> stretched = plane_in(scratch.between, window.height, horizontal.out);
    use.horizontal(window, horizontal, stretched);
    return {read_only(stretched), vertical.identity ? nullptr : &vertical};
}

} // namespace morphobench
