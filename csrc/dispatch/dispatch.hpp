#pragma once

#include <string>
#include <vector>

#include "dispatch/targets.hpp"

namespace morphobench {

// The instruction sets that kernels exist for, worst first; each includes what x86-64 or ARMv8 always has.
// avx2: AVX2 and FMA. avx512: x86-64-v4.
enum class SimdLevel { scalar, neon, avx2, avx512 };

// The level that every kernel uses: the best of this machine, or the one that the environment variable
// MORPHOBENCH_SIMD or use_simd named. Throws std::invalid_argument if MORPHOBENCH_SIMD names none of these.
SimdLevel simd_level();
const char* name_of(SimdLevel level);

// Whether the processor also has byte permutations (VBMI) and sums of four products (VNNI), without which the
// views' kernels are those of avx2.
bool has_avx512_bytes();

// The names of the levels that this build has and this machine can run, best first.
std::vector<std::string> simd_levels();

// Switches to one of simd_levels(); throws std::invalid_argument for another name.
void use_simd(const std::string& name);

} // namespace morphobench
