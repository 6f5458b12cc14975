#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace morphobench {

struct AxisTable;

// The weights of an AxisTable cut into digits that 8- and 16-bit multiply-adds take without overflow. Both
// forms give the very sum of the whole weights; they are here, and not in a kernel, because every instruction
// set uses them.

// At most two taps an output (any enlargement): weight = high 2^15 + middle 2^8 + low, high and middle in
// 0..127, low in -128..127. For pixels a and b, with H, M, L the sums of products over the two taps,
//     (a w_a + b w_b + 2^21) >> 22  ==  (H + ((M + (L >> 8)) >> 7) + 64) >> 7,
// where no term leaves 16 bits because the two weights sum to 2^22 within 1. A lone tap of 2^22, whose high
// digit would be 128, is stored as two halves of the same pixel.
struct TwoTaps {
    TwoTaps() = default;
    explicit TwoTaps(const AxisTable& table);
    std::size_t bytes() const;

    // The number of digits that are not zero throughout: 1 where every weight is a multiple of 2^-7, as for
    // all outputs of 64 pixels; 0: this table has no such form.
    int digits = 0;
    std::vector<std::int32_t> first, second;    // (out) where the taps lie
    std::vector<std::int8_t> high, middle, low; // (padded out, 2)

    // For a shuffle of 16 loaded bytes into the taps of 8 outputs; made where in >= 16.
    std::vector<std::int32_t> bases;    // (padded out / 8) where to load
    std::vector<std::uint8_t> shuffles; // (padded out / 8, 16)
};

// Any number of taps, in pairs: weight = high 2^15 + low, high in 0..127, low in 0..32767. The sum of the
// high products stays below 2^15, because the weights sum to 2^22.
struct PairedTaps {
    PairedTaps() = default;
    // With `even`, the first tap of each output lies at an even place.
    PairedTaps(const AxisTable& table, bool even);
    std::size_t bytes() const;

    bool usable = false;
    std::int32_t pairs = 0;
    std::vector<std::int32_t> first; // (out)
    std::vector<std::int8_t> high;   // (out, pairs, 2)
    std::vector<std::int16_t> low;   // (out, pairs, 2)
};

} // namespace morphobench
