#include "resample.hpp"

#include <cstddef>

namespace morphobench {

namespace {

// Each pass rounds to 8 bits, so their order shows. Pillow takes the rows first where the height loses more
// than twice what the width loses (Pillow 13; earlier versions never do).
bool vertical_first(const AxisTable& horizontal, const AxisTable& vertical) {
    return vertical.in > vertical.out && vertical.in - vertical.out > 2 * (horizontal.in - horizontal.out);
}

PlaneView<std::uint8_t> plane_in(std::vector<std::uint8_t>& storage, std::int32_t height,
                                 std::int32_t width) {
    const std::size_t size = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    if (storage.size() < size) storage.resize(size);
    return {storage.data(), width, height, width};
}

PlaneView<const std::uint8_t> read_only(PlaneView<std::uint8_t> plane) {
    return {plane.data, plane.stride, plane.height, plane.width};
}

} // namespace

void resample(PlaneView<const std::uint8_t> window, const AxisTable& horizontal, const AxisTable& vertical,
              const Kernels& use, std::vector<std::uint8_t>& between, PlaneView<std::uint8_t> out) {
    if (horizontal.identity) {
        use.vertical(window, vertical, out);
    } else if (vertical.identity) {
        use.horizontal(window, horizontal, out);
    } else if (vertical_first(horizontal, vertical)) {
        const PlaneView<std::uint8_t> shrunk = plane_in(between, vertical.out, window.width);
        use.vertical(window, vertical, shrunk);
        use.horizontal(read_only(shrunk), horizontal, out);
    } else {
        const PlaneView<std::uint8_t> stretched = plane_in(between, window.height, horizontal.out);
        use.horizontal(window, horizontal, stretched);
        use.vertical(read_only(stretched), vertical, out);
    }
}

} // namespace morphobench
