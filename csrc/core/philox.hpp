#pragma once

#include <array>
#include <cstdint>

#include "core/vector.hpp"

namespace morphobench {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a function from a
// 128-bit counter and a 64-bit key to 128 random bits, with no state to carry between calls.
using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

constexpr int philox_rounds = 10;

inline PhiloxCounter philox_round(const PhiloxCounter& counter, const PhiloxKey& key) {
    const std::uint64_t even = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t odd = std::uint64_t{0xCD9E8D57u} * counter[2];
    return {static_cast<std::uint32_t>(odd >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(odd),
            static_cast<std::uint32_t>(even >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(even)};
}

inline PhiloxKey next_key(const PhiloxKey& key) { return {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u}; }

inline PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
    for (int round = 0; round < philox_rounds; ++round, key = next_key(key))
        counter = philox_round(counter, key);
    return counter;
}

// Uniform in [0, 1) with 32 bits, and with 53. Halves are converted apart, because not every instruction set
// converts 64 bits; the sum is exact.
MORPHOBENCH_INLINE double uniform32(std::uint32_t word) {
    return (static_cast<double>(static_cast<std::int32_t>(word ^ 0x80000000u)) + 0x1p31) * 0x1p-32;
}
MORPHOBENCH_INLINE double uniform53(std::uint32_t upper, std::uint32_t lower) {
    return uniform32(upper) + static_cast<double>(static_cast<std::int32_t>(lower >> 11)) * 0x1p-53;
}

// Uniform in 0 .. count - 1; the bias is below count / 2^32.
MORPHOBENCH_INLINE std::int32_t below(std::uint32_t word, std::int32_t count) {
    return static_cast<std::int32_t>((std::uint64_t{word} * static_cast<std::uint32_t>(count)) >> 32);
}

// Four random words, and the numbers made of them.
struct RandomBlock {
    PhiloxCounter words;

    double uniform53(std::size_t i) const { return morphobench::uniform53(words[2 * i], words[2 * i + 1]); }
    double uniform32(std::size_t i) const { return morphobench::uniform32(words[i]); }
    std::int32_t below(std::size_t i, std::int32_t count) const {
        return morphobench::below(words[i], count);
    }
};

// The random numbers of one view of one image: a pure function of (seed, epoch, image id, view), so that they
// depend on no batch, order or thread. Every purpose has a block number of its own; a purpose added later
// changes no other's numbers.
class ViewStream {
public:
    ViewStream(std::uint64_t seed, std::uint32_t epoch, std::int64_t image_id, std::uint16_t view)
        : key_{key_of(seed)}, image_{static_cast<std::uint64_t>(image_id)}, epoch_{epoch}, view_{view} {}

    RandomBlock block(std::uint16_t number) const {
        return {philox4x32({static_cast<std::uint32_t>(image_), static_cast<std::uint32_t>(image_ >> 32),
                            epoch_, place(view_, number)},
                           key_)};
    }

    // The key, and the last word of the counter.
    static PhiloxKey key_of(std::uint64_t seed) {
        return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    }
    static std::uint32_t place(std::uint16_t view, std::uint16_t number) {
        return (std::uint32_t{view} << 16) | number;
    }

private:
    PhiloxKey key_;
    std::uint64_t image_;
    std::uint32_t epoch_;
    std::uint16_t view_;
};

} // namespace morphobench
