#include "views/kernels/kernels.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace morphobench {

namespace {

std::vector<const Kernels*> runnable() {
    std::vector<const Kernels*> found;
#if MORPHOBENCH_X86
    if (avx512_runs()) found.push_back(&avx512_kernels);
    if (avx2_runs()) found.push_back(&avx2_kernels);
#endif
#if MORPHOBENCH_NEON
    found.push_back(&neon_kernels);
#endif
    found.push_back(&scalar_kernels);
    return found;
}

const Kernels& named(const std::string& level) {
    std::string known;
    for (const Kernels* candidate : runnable()) {
        if (level == candidate->level) return *candidate;
        known += (known.empty() ? "" : ", ") + std::string(candidate->level);
    }
    throw std::invalid_argument("SIMD level: one of " + known + " wanted on this machine, got '" + level +
                                "'");
}

std::atomic<const Kernels*>& active() {
    static std::atomic<const Kernels*> chosen = [] {
        const char* wanted = std::getenv("MORPHOBENCH_SIMD");
        return wanted && *wanted ? &named(wanted) : runnable().front();
    }();
    return chosen;
}

} // namespace

const Kernels& kernels() { return *active().load(std::memory_order_relaxed); }

std::vector<std::string> simd_levels() {
    std::vector<std::string> levels;
    for (const Kernels* candidate : runnable())
        levels.emplace_back(candidate->level);
    return levels;
}

void use_simd(const std::string& level) { active().store(&named(level), std::memory_order_relaxed); }

} // namespace morphobench
