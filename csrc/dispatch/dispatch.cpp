#include "dispatch/dispatch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace morphobench {

namespace {

constexpr std::array<const char*, 4> names{"scalar", "neon", "avx2", "avx512"};

bool runs(SimdLevel level) {
    switch (level) {
#if MORPHOBENCH_X86
    case SimdLevel::avx512:
        return runs(SimdLevel::avx2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq");
    case SimdLevel::avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    case SimdLevel::neon:
        return MORPHOBENCH_NEON;
    default:
        return level == SimdLevel::scalar;
    }
}

SimdLevel level_named(const std::string& name) {
    std::string known;
    for (const std::string& level : simd_levels())
        known += (known.empty() ? "" : ", ") + level;
    for (std::size_t i = 0; i < names.size(); ++i)
        if (name == names[i] && runs(static_cast<SimdLevel>(i))) return static_cast<SimdLevel>(i);
    throw std::invalid_argument("SIMD level must be one of " + known + " on this machine, got '" + name +
                                "'");
}

std::atomic<SimdLevel>& active() {
    static std::atomic<SimdLevel> level = [] {
        const char* name = std::getenv("MORPHOBENCH_SIMD");
        return level_named(name && *name ? name : simd_levels().front());
    }();
    return level;
}

} // namespace

SimdLevel simd_level() { return active().load(std::memory_order_relaxed); }

const char* name_of(SimdLevel level) { return names[static_cast<std::size_t>(level)]; }

bool has_avx512_bytes() {
#if MORPHOBENCH_X86
    return runs(SimdLevel::avx512) && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

std::vector<std::string> simd_levels() {
    std::vector<std::string> levels;
    for (std::size_t i = names.size(); i-- > 0;)
        if (runs(static_cast<SimdLevel>(i))) levels.emplace_back(names[i]);
    return levels;
}

void use_simd(const std::string& name) { active().store(level_named(name), std::memory_order_relaxed); }

} // namespace morphobench
