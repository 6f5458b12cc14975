#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/array_view.hpp"
#include "core/scratch.hpp"
#include "views/resample/axis_table.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#define MORPHOBENCH_X86 1
#else
#define MORPHOBENCH_X86 0
#endif
#if defined(__aarch64__)
#define MORPHOBENCH_NEON 1
#else
#define MORPHOBENCH_NEON 0
#endif

namespace morphobench {

// Planes that kernels write, and those that `vertical` reads, have room for rows of a whole number of blocks:
// kernels may read and write past the width up to the next multiple of this.
constexpr std::int32_t block = 64;
constexpr std::int32_t padded(std::int32_t width) { return (width + block - 1) / block * block; }

// The inner loops that have a version for each instruction set. Every version gives the same bytes.
struct Kernels {
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

    // Several of these at once, where a level gains by it; or false, and nothing done, where these tables are
    // not for it. `vertical`, `to_unit`:
    bool (*units)(const PlaneView<const std::uint8_t>& in, const AxisTable& table, float* out) = nullptr;
    // `horizontal`, `vertical`, `to_unit`:
    bool (*resize_units)(const PlaneView<const std::uint8_t>& window, const AxisTable& horizontal,
                         const AxisTable& vertical, Scratch<std::uint8_t>& scratch, float* out) = nullptr;
};

extern const Kernels scalar_kernels;
#if MORPHOBENCH_X86
extern const Kernels avx2_kernels;
bool avx2_runs();
extern const Kernels avx512_kernels;
bool avx512_runs();
#endif
#if MORPHOBENCH_NEON
extern const Kernels neon_kernels;
#endif

// The kernels in use: the best that this machine has, or those that MORPHOBENCH_SIMD or use_simd named.
const Kernels& kernels();

// The levels that this build has and this machine can run, best first.
std::vector<std::string> simd_levels();

// Switches to a level of simd_levels(); throws std::invalid_argument, naming them, for another.
void use_simd(const std::string& level);

} // namespace morphobench
