#pragma once

#include <cstddef>
#include <cstdint>

#include "core/array_view.hpp"
#include "core/scratch.hpp"
#include "dispatch/targets.hpp"
#include "views/resample/axis_table.hpp"

namespace morphobench {

// Planes that kernels write, and those that `vertical` reads, have rows padded to whole blocks: kernels may
// read and write past the width up to the next multiple of this.
constexpr std::int32_t block_pixels = 64;
constexpr std::int32_t padded(std::int32_t width) {
    return (width + block_pixels - 1) / block_pixels * block_pixels;
}

// A plane in `storage` with padded rows.
inline PlaneView<std::uint8_t> plane_in(Scratch<std::uint8_t>& storage, std::int32_t height,
                                        std::int32_t width) {
    const std::int32_t stride = padded(width);
    const std::size_t size = static_cast<std::size_t>(height) * static_cast<std::size_t>(stride);
    return {storage.room(size), stride, height, width};
}

// The inner loops of the 8-bit views, written for each instruction set. Every version gives the same bytes.
struct ViewKernels {
    const char* level;
    // out.width == table.out, in.width == table.in, equal heights
    void (*horizontal)(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                       const PlaneView<std::uint8_t>& out);
    // out.height == table.out, in.height == table.in, equal widths
    void (*vertical)(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                     const PlaneView<std::uint8_t>& out);
    // pixel / 255, correctly rounded
    void (*to_unit)(const PlaneView<const std::uint8_t>& in, float* out);
    // [edge, center, edge] along both axes with reflected borders; `rows` holds 3 * width, `out` the plane
    void (*blur)(const PlaneView<const float>& in, float edge, float center, float* rows, float* out);

    // Optional fused kernels; null if the level has none. They return false, and do nothing, when they do not
    // support these tables. `vertical` and `to_unit`:
    bool (*try_vertical_to_unit)(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                                 float* out) = nullptr;
    // `horizontal`, `vertical` and `to_unit`:
    bool (*try_resize_to_unit)(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                               const AxisTable& vertical, Scratch<std::uint8_t>& scratch,
                               float* out) = nullptr;
};

extern const ViewKernels scalar_kernels;
#if MORPHOBENCH_X86
extern const ViewKernels avx2_kernels;
extern const ViewKernels avx512_kernels;
#endif
#if MORPHOBENCH_NEON
extern const ViewKernels neon_kernels;
#endif

// The kernels of the level in use; avx2's on a processor of level avx512 without has_avx512_bytes().
const ViewKernels& view_kernels();

} // namespace morphobench
