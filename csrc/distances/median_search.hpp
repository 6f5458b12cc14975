#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace morphobench {

// Exact median of a multiset too large to hold, found in passes over it. Values are non-negative float32 (or
// NaN), whose bit patterns order as they do. A pass keeps the values inside a bracket, counts those below it,
// and bins those inside; when the bracket misses the middle, or more fall inside than may be kept, the bins
// say where the next pass has to look. One pass as a rule, five at most.
class MedianSearch {
public:
    // `total` values per pass; at most `capacity` of them are ever held.
    MedianSearch(std::size_t total, std::size_t capacity);

    // The first pass looks between two values; without this call, everywhere.
    void bracket(float low, float high);
    // Adds the values of one tile to the pass; safe to call from many threads, in any order.
    void add(const float* values, std::size_t count);
    // Ends a pass; true when the median is known.
    bool finish_pass();
    // Mean of the middle two when the number of values is even; NaN when any value is.
    double median() const { return median_; }
    int passes() const { return passes_; }

private:
    struct Bin {
        std::uint64_t count = 0;
        std::uint32_t smallest = 0xffffffffu;
        std::uint32_t largest = 0;
    };
    void start_pass(std::uint32_t low, std::uint32_t high);
    bool found(std::uint32_t lower, std::uint32_t upper);

    std::uint64_t total_;
    std::size_t capacity_;
    std::uint32_t low_ = 0;
    std::uint32_t high_ = 0;
    unsigned shift_ = 0;
    std::uint64_t below_ = 0;
    std::uint64_t inside_ = 0;
    std::uint64_t undefined_ = 0;
    std::vector<std::uint32_t> kept_;
    std::vector<Bin> bins_;
    double median_ = 0;
    int passes_ = 0;
    std::mutex mutex_;
};

} // namespace morphobench
