#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace morphobench {

struct AxisTable;

// The weights of an AxisTable, split into digits that 8- and 16-bit multiply-adds take without overflow.
// Every form gives exactly the sum of the whole weights. They stand here because several instruction sets use
// them.

// At most two taps an output (any enlargement), whose weights sum to 2^22. For pixels a and b, the weight of
// a cut into share 2^15 + rest, share in 1..127, rest a signed 16-bit number,
//     (a w_a + b w_b + 2^21) >> 22  ==  (a share + b (128 - share) + ((a - b) rest >> 15) + 64) >> 7,
// where no term leaves 16 bits: the first two are one multiply-add of bytes, the third is the upper half of
// the product of 2 (a - b) and rest. A lone tap of 2^22 is stored as two halves of the same pixel.
struct TwoTaps {
    TwoTaps() = default;
    explicit TwoTaps(const AxisTable& table);
    std::size_t bytes() const;

    bool usable = false;
    bool exact_shares = true;                // every rest is 0, as for all outputs of 64 pixels
    std::vector<std::int32_t> first, second; // (out) where the taps lie
    std::vector<std::int8_t> shares;         // (padded out, 2): share, 128 - share
    std::vector<std::int16_t> rests;         // (padded out)

    // For a shuffle of 16 loaded bytes into the taps of 8 outputs; made where in >= 16.
    std::vector<std::int32_t> bases;    // (padded out / 8) where to load
    std::vector<std::uint8_t> shuffles; // (padded out / 8, 16)

    // The same for a shuffle of 64 loaded bytes into the taps of 32 outputs.
    std::vector<std::int32_t> wide_bases;    // (padded out / 32) where to load
    std::vector<std::uint8_t> wide_shuffles; // (padded out, 2)

    // What one output is made of, for passes along columns; 16-bit numbers twice over.
    struct Line {
        std::int32_t first, second, share, rest;
    };
    std::vector<Line> lines; // (out)

private:
    bool shuffle_16(const AxisTable& table, std::size_t size);
    bool shuffle_64(const AxisTable& table, std::size_t size);
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
    std::vector<std::int8_t> high;   // (out, pairs, 4): both taps, twice over
    std::vector<std::int16_t> low;   // (out, pairs, 2)
};

// Any number of taps, in fours, as instructions take them that multiply four pixels with four signed bytes
// and add all to a 32-bit sum: weight = high 2^16 + middle 2^8 + low, middle and low in -128..127, high in
// 0..64. The whole sum is below 2^31, so that parts of it may wrap around.
struct VerticalQuads {
    VerticalQuads() = default;
    // With `even`, each quad begins at a multiple of four.
    VerticalQuads(const AxisTable& table, bool even);
    std::size_t bytes() const { return digits.size() + first.size() * sizeof(std::int32_t); }

    std::int32_t quads = 0;          // the most that any output has
    std::vector<std::int32_t> first; // (out) the first tap
    std::vector<std::int8_t> digits; // (out, quads, 3, 4): high, middle, low
};

// The same for 16 outputs at a time along a row. `chunks` times 64 bytes, loaded from a base on, hold quad q
// of 16 outputs; one shuffle, by the place in a chunk, is for all chunks, and a mask says which bytes of it
// come from which chunk.
struct HorizontalQuads {
    HorizontalQuads() = default;
    explicit HorizontalQuads(const AxisTable& table);
    std::size_t bytes() const;

    std::int32_t quads = 0, chunks = 0;
    bool inside = false;                // no load passes the end of a row
    std::vector<std::int32_t> bases;    // (groups of 16 outputs, quads)
    std::vector<std::uint64_t> masks;   // (groups, quads, chunks)
    std::vector<std::uint8_t> shuffles; // (groups, quads, 64)
    std::vector<std::int8_t> digits;    // (groups, quads, 3, 64)
};

} // namespace morphobench
