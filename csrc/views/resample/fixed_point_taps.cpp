#include "views/resample/fixed_point_taps.hpp"

#include <algorithm>

#include "views/resample/axis_table.hpp"

namespace morphobench {

namespace {

// Outputs are padded to whole blocks of the widest kernel.
constexpr std::size_t padded(std::int32_t out) { return (static_cast<std::size_t>(out) + 63) / 64 * 64; }

std::int32_t twice(std::int16_t number) {
    return static_cast<std::int32_t>(static_cast<std::uint16_t>(number) * 0x10001u);
}

} // namespace

TwoTaps::TwoTaps(const AxisTable& table) {
    constexpr std::int32_t whole = 1 << weight_bits;
    if (table.taps > 2) return;
    const std::size_t size = padded(table.out);
    shares.assign(2 * size, 0);
    rests.assign(size, 0);
    for (std::int32_t o = 0; o < table.out; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const std::int32_t* weights = table.weights_of(o);
        std::int32_t places[2] = {table.first[at], table.first[at] + table.taps - 1};
        std::int32_t taken[2] = {weights[0], table.taps == 2 ? weights[1] : 0};
        for (const int lone : {0, 1})
            if (taken[lone] == whole) {
                places[1 - lone] = places[lone];
                taken[0] = taken[1] = whole / 2;
            }
        if (taken[0] + taken[1] != whole) return;
        first.push_back(places[0]);
        second.push_back(places[1]);
        const std::int32_t share = std::min(std::max(taken[0] >> 15, 1), 127);
        shares[2 * at] = static_cast<std::int8_t>(share);
        shares[2 * at + 1] = static_cast<std::int8_t>(128 - share);
        rests[at] = static_cast<std::int16_t>(taken[0] - (share << 15));
        exact_shares = exact_shares && rests[at] == 0;
        lines.push_back({places[0], places[1], twice(static_cast<std::int16_t>(share)), twice(rests[at])});
    }
    usable = shuffle_16(table, size) && shuffle_64(table, size);
}

bool TwoTaps::shuffle_16(const AxisTable& table, std::size_t size) {
    if (table.in < 16) return true;
    shuffles.assign(2 * size, 0);
    for (std::size_t begin = 0; begin < size; begin += 8) {
        const std::size_t end = std::min(begin + 8, first.size());
        std::int32_t base = table.in - 16;
        for (std::size_t o = begin; o < end; ++o)
            base = std::min({base, first[o], second[o]});
        bases.push_back(base);
        for (std::size_t o = begin; o < end; ++o) {
            if (std::max(first[o], second[o]) - base > 15) return false;
            shuffles[2 * o] = static_cast<std::uint8_t>(first[o] - base);
            shuffles[2 * o + 1] = static_cast<std::uint8_t>(second[o] - base);
        }
    }
    return true;
}

bool TwoTaps::shuffle_64(const AxisTable& table, std::size_t size) {
    wide_shuffles.assign(2 * size, 0);
    wide_bases.assign(size / 32, std::max(0, table.in - 64));
    for (std::size_t o = 0; o < first.size(); ++o)
        wide_bases[o / 32] = std::min({wide_bases[o / 32], first[o], second[o]});
    for (std::size_t o = 0; o < first.size(); ++o) {
        const std::int32_t base = wide_bases[o / 32];
        if (std::max(first[o], second[o]) - base > 63) return false;
        wide_shuffles[2 * o] = static_cast<std::uint8_t>(first[o] - base);
        wide_shuffles[2 * o + 1] = static_cast<std::uint8_t>(second[o] - base);
    }
    return true;
}

std::size_t TwoTaps::bytes() const {
    return (first.size() + second.size() + bases.size() + wide_bases.size()) * sizeof(std::int32_t) +
           rests.size() * sizeof(std::int16_t) + lines.size() * sizeof(Line) + shares.size() +
           shuffles.size() + wide_shuffles.size();
}

PairedTaps::PairedTaps(const AxisTable& table, bool even) {
    const auto outputs = static_cast<std::size_t>(table.out);
    for (std::size_t o = 0; o < outputs; ++o)
        pairs = std::max(pairs, (table.taps + (even ? table.first[o] & 1 : 0) + 1) / 2);
    const std::size_t row = 2 * static_cast<std::size_t>(pairs);
    high.assign(2 * outputs * row, 0);
    low.assign(outputs * row, 0);
    for (std::size_t o = 0; o < outputs; ++o) {
        const std::int32_t shift = even ? table.first[o] & 1 : 0;
        first.push_back(table.first[o] - shift);
        const std::int32_t* weights = table.weights_of(static_cast<std::int32_t>(o));
        for (std::int32_t t = 0; t < table.taps; ++t) {
            const auto tap = static_cast<std::size_t>(shift + t);
            const std::size_t at = 2 * o * row + tap / 2 * 4 + tap % 2;
            if (weights[t] >> 15 > 127) return;
            high[at] = high[at + 2] = static_cast<std::int8_t>(weights[t] >> 15);
            low[o * row + tap] = static_cast<std::int16_t>(weights[t] & 0x7fff);
        }
    }
    usable = true;
}

std::size_t PairedTaps::bytes() const {
    return first.size() * sizeof(std::int32_t) + high.size() + low.size() * sizeof(std::int16_t);
}

namespace {

// The digits of VerticalQuads and HorizontalQuads, `step` apart.
void put_digits(std::int32_t weight, std::int8_t* digits, std::size_t step) {
    const std::int32_t low = ((weight + 128) & 255) - 128;
    const std::int32_t rest = (weight - low) >> 8;
    const std::int32_t middle = ((rest + 128) & 255) - 128;
    digits[0] = static_cast<std::int8_t>((rest - middle) >> 8);
    digits[step] = static_cast<std::int8_t>(middle);
    digits[2 * step] = static_cast<std::int8_t>(low);
}

} // namespace

VerticalQuads::VerticalQuads(const AxisTable& table, bool even) : quads{1} {
    const auto shift = [&](std::int32_t o) {
        return even ? table.first[static_cast<std::size_t>(o)] % 4 : 0;
    };
    for (std::int32_t o = 0; o < table.out; ++o)
        quads = std::max(quads, (shift(o) + table.taps + 3) / 4);
    const auto row = 12 * static_cast<std::size_t>(quads);
    digits.assign(static_cast<std::size_t>(table.out) * row, 0);
    for (std::int32_t o = 0; o < table.out; ++o) {
        first.push_back(table.first[static_cast<std::size_t>(o)] - shift(o));
        for (std::int32_t t = 0; t < table.taps; ++t) {
            const std::int32_t place = shift(o) + t;
            put_digits(table.weights_of(o)[t],
                       digits.data() + static_cast<std::size_t>(o) * row + place / 4 * 12 + place % 4, 4);
        }
    }
}

HorizontalQuads::HorizontalQuads(const AxisTable& table) : quads{(table.taps + 3) / 4} {
    const std::int32_t groups = (table.out + 15) / 16;
    const auto places = static_cast<std::size_t>(groups) * static_cast<std::size_t>(quads);
    // Taps of weight 0 are left out: they may lie past the end of the row.
    const auto for_taps = [&](std::int32_t group, std::int32_t quad, const auto& body) {
        for (std::int32_t i = 0; i < 16 && 16 * group + i < table.out; ++i)
            for (std::int32_t j = 0; j < 4 && 4 * quad + j < table.taps; ++j) {
                const std::int32_t weight = table.weights_of(16 * group + i)[4 * quad + j];
                const std::int32_t tap = table.first[static_cast<std::size_t>(16 * group + i)] + 4 * quad + j;
                if (weight) body(static_cast<std::size_t>(4 * i + j), tap, weight);
            }
    };
    std::int32_t span = 1;
    for (std::int32_t place = 0; place < groups * quads; ++place) {
        std::int32_t least = table.in, most = -1;
        for_taps(place / quads, place % quads, [&](std::size_t, std::int32_t tap, std::int32_t) {
            least = std::min(least, tap);
            most = std::max(most, tap);
        });
        bases.push_back(most < 0 ? 0 : least);
        span = std::max(span, most - least + 1);
    }
    chunks = (span + 63) / 64;
    inside = table.in >= 64 * chunks;
    masks.assign(places * static_cast<std::size_t>(chunks), 0);
    shuffles.assign(places * 64, 0);
    digits.assign(places * 192, 0);
    for (std::int32_t place = 0; place < groups * quads; ++place) {
        const auto at = static_cast<std::size_t>(place);
        if (inside) bases[at] = std::min(bases[at], table.in - 64 * chunks);
        for_taps(place / quads, place % quads, [&](std::size_t byte, std::int32_t tap, std::int32_t weight) {
            const auto offset = static_cast<std::size_t>(tap - bases[at]);
            masks[at * static_cast<std::size_t>(chunks) + offset / 64] |= std::uint64_t{1} << byte;
            shuffles[at * 64 + byte] = static_cast<std::uint8_t>(offset % 64);
            put_digits(weight, digits.data() + at * 192 + byte, 64);
        });
    }
}

std::size_t HorizontalQuads::bytes() const {
    return bases.size() * sizeof(std::int32_t) + masks.size() * sizeof(std::uint64_t) + shuffles.size() +
           digits.size();
}

} // namespace morphobench
