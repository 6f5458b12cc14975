#include "distances/median_search.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace morphobench {
namespace {

constexpr std::uint32_t infinity_key = 0x7f800000u;
constexpr unsigned bin_bits = 12;

std::uint32_t key_of(float value) {
    std::uint32_t key;
    std::memcpy(&key, &value, sizeof key);
    return key;
}

double value_of(std::uint32_t key) {
    float value;
    std::memcpy(&value, &key, sizeof value);
    return static_cast<double>(value);
}

} // namespace

MedianSearch::MedianSearch(std::size_t total, std::size_t capacity)
    : total_(total), capacity_(capacity), bins_(std::size_t{1} << bin_bits) {
    start_pass(0, infinity_key);
}

void MedianSearch::bracket(float low, float high) {
    start_pass(low > 0 ? key_of(low) : 0, high >= low ? key_of(high) : infinity_key);
}

void MedianSearch::start_pass(std::uint32_t low, std::uint32_t high) {
    low_ = low;
    high_ = high;
    below_ = inside_ = undefined_ = 0;
    for (shift_ = 0; ((high - low) >> shift_) >> bin_bits; ++shift_) {
    }
    kept_.clear();
    std::fill(bins_.begin(), bins_.end(), Bin{});
}

void MedianSearch::add(const float* values, std::size_t count) {
    std::vector<std::uint32_t> inside(count);
    std::size_t kept = 0;
    std::uint64_t below = 0;
    std::uint64_t undefined = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t key = key_of(values[i]);
        below += key < low_;
        undefined += key > infinity_key;
        inside[kept] = key;
        kept += key >= low_ && key <= high_;
    }
    inside.resize(kept);
    const std::lock_guard<std::mutex> lock(mutex_);
    below_ += below;
    undefined_ += undefined;
    inside_ += kept;
    for (const std::uint32_t key : inside) {
        Bin& bin = bins_[(key - low_) >> shift_];
        ++bin.count;
        bin.smallest = std::min(bin.smallest, key);
        bin.largest = std::max(bin.largest, key);
    }
    if (inside_ <= capacity_) {
        kept_.insert(kept_.end(), inside.begin(), inside.end());
    } else {
        // Too many to hold: the bins carry on, and the next pass looks into the right ones only.
        kept_.clear();
    }
}

bool MedianSearch::found(std::uint32_t lower, std::uint32_t upper) {
    median_ = lower == upper ? value_of(lower) : (value_of(lower) + value_of(upper)) / 2;
    return true;
}

bool MedianSearch::finish_pass() {
    ++passes_;
    if (undefined_ > 0) {
        median_ = std::numeric_limits<double>::quiet_NaN();
        return true;
    }
    const std::uint64_t lower_rank = (total_ - 1) / 2;
    const std::uint64_t upper_rank = total_ / 2;
    if (lower_rank < below_) {
        // The upper of the middle two may be the bracket's own smallest value.
        start_pass(0, high_);
        return false;
    }
    if (upper_rank >= below_ + inside_) {
        start_pass(low_, infinity_key);
        return false;
    }
    if (inside_ <= capacity_) {
        const auto upper = kept_.begin() + static_cast<std::ptrdiff_t>(upper_rank - below_);
        std::nth_element(kept_.begin(), upper, kept_.end());
        const std::uint32_t lower =
            lower_rank == upper_rank ? *upper : *std::max_element(kept_.begin(), upper);
        return found(lower, *upper);
    }
    std::uint64_t before = below_;
    std::size_t bin = 0;
    while (before + bins_[bin].count <= lower_rank)
        before += bins_[bin++].count;
    const Bin lower_bin = bins_[bin];
    if (upper_rank >= before + lower_bin.count) {
        // The middle two part here: the largest of this bin and the smallest of the next that has any.
        do
            ++bin;
        while (bins_[bin].count == 0);
        return found(lower_bin.largest, bins_[bin].smallest);
    }
    if (lower_bin.smallest == lower_bin.largest) return found(lower_bin.smallest, lower_bin.smallest);
    start_pass(lower_bin.smallest, lower_bin.largest);
    return false;
}

} // namespace morphobench
