#include "simd_taps.hpp"

#include <algorithm>
#include <cstdlib>

#include "resample_table.hpp"

namespace morphobench {

namespace {

// Outputs are padded to whole blocks of the widest kernel.
constexpr std::size_t padded(std::int32_t out) { return (static_cast<std::size_t>(out) + 63) / 64 * 64; }

struct Digits {
    std::int32_t high, middle, low;
};

Digits split(std::int32_t weight) {
    const std::int32_t low = ((weight + 128) & 255) - 128;
    const std::int32_t rest = (weight - low) >> 8;
    return {rest >> 7, rest & 127, low};
}

bool fit(const Digits& a, const Digits& b) {
    return a.high <= 127 && b.high <= 127 && a.middle + b.middle <= 128 && std::abs(a.low + b.low) <= 1;
}

} // namespace

TwoTaps::TwoTaps(const AxisTable& table) {
    if (table.taps > 2) return;
    const std::size_t size = padded(table.out);
    for (auto* digit : {&high, &middle, &low})
        digit->assign(2 * size, 0);
    int most = 1;
    for (std::int32_t o = 0; o < table.out; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const std::int32_t* weights = table.weights_of(o);
        std::int32_t places[2] = {table.first[at], table.first[at] + table.taps - 1};
        std::int32_t shares[2] = {weights[0], table.taps == 2 ? weights[1] : 0};
        for (const int lone : {0, 1})
            if (shares[lone] == 1 << weight_bits) {
                places[1 - lone] = places[lone];
                shares[0] = shares[1] = 1 << (weight_bits - 1);
            }
        const Digits digits_of[2] = {split(shares[0]), split(shares[1])};
        if (!fit(digits_of[0], digits_of[1])) return;
        first.push_back(places[0]);
        second.push_back(places[1]);
        for (std::size_t tap = 0; tap < 2; ++tap) {
            const Digits& digit = digits_of[tap];
            high[2 * at + tap] = static_cast<std::int8_t>(digit.high);
            middle[2 * at + tap] = static_cast<std::int8_t>(digit.middle);
            low[2 * at + tap] = static_cast<std::int8_t>(digit.low);
            most = std::max(most, digit.low ? 3 : (digit.middle ? 2 : 1));
        }
    }
    if (table.in >= 16) {
        shuffles.assign(2 * size, 0);
        for (std::size_t group = 0; group < size / 8; ++group) {
            const std::size_t begin = std::min(8 * group, first.size());
            const std::size_t end = std::min(begin + 8, first.size());
            std::int32_t base = table.in - 16;
            for (std::size_t o = begin; o < end; ++o)
                base = std::min({base, first[o], second[o]});
            bases.push_back(base);
            for (std::size_t o = begin; o < end; ++o) {
                if (std::max(first[o], second[o]) - base > 15) return;
                shuffles[2 * o] = static_cast<std::uint8_t>(first[o] - base);
                shuffles[2 * o + 1] = static_cast<std::uint8_t>(second[o] - base);
            }
        }
    }
    digits = most;
}

std::size_t TwoTaps::bytes() const {
    return (first.size() + second.size() + bases.size()) * sizeof(std::int32_t) + high.size() +
           middle.size() + low.size() + shuffles.size();
}

PairedTaps::PairedTaps(const AxisTable& table, bool even) {
    const auto outputs = static_cast<std::size_t>(table.out);
    for (std::size_t o = 0; o < outputs; ++o)
        pairs = std::max(pairs, (table.taps + (even ? table.first[o] & 1 : 0) + 1) / 2);
    const std::size_t row = 2 * static_cast<std::size_t>(pairs);
    high.assign(outputs * row, 0);
    low.assign(outputs * row, 0);
    for (std::size_t o = 0; o < outputs; ++o) {
        const std::int32_t shift = even ? table.first[o] & 1 : 0;
        first.push_back(table.first[o] - shift);
        const std::int32_t* weights = table.weights_of(static_cast<std::int32_t>(o));
        for (std::int32_t t = 0; t < table.taps; ++t) {
            const std::size_t at = o * row + static_cast<std::size_t>(shift + t);
            if (weights[t] >> 15 > 127) return;
            high[at] = static_cast<std::int8_t>(weights[t] >> 15);
            low[at] = static_cast<std::int16_t>(weights[t] & 0x7fff);
        }
    }
    usable = true;
}

std::size_t PairedTaps::bytes() const {
    return first.size() * sizeof(std::int32_t) + high.size() + low.size() * sizeof(std::int16_t);
}

} // namespace morphobench
