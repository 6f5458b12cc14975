#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dispatch/targets.hpp"

namespace morphobench {

// Vectors of 64 bytes for kernels whose innermost axis is the features. The compiler splits them into those
// that the instruction set has.
template <class T>
struct Lanes;

template <>
struct Lanes<float> {
    static constexpr std::size_t count = 16;
    typedef float Vector __attribute__((vector_size(64)));
    typedef std::int32_t Index __attribute__((vector_size(64)));
    typedef std::uint8_t Bytes __attribute__((vector_size(16)));
};

template <>
struct Lanes<double> {
    static constexpr std::size_t count = 8;
    typedef double Vector __attribute__((vector_size(64)));
    typedef std::int64_t Index __attribute__((vector_size(64)));
    typedef std::uint8_t Bytes __attribute__((vector_size(8)));
};

// By reference, not by value: a 64-byte return value has another calling convention per instruction set.
template <class V, class T>
MORPHOBENCH_INLINE void load(V& into, const T* from) {
    std::memcpy(&into, from, sizeof(V));
}

template <class V, class T>
MORPHOBENCH_INLINE void store(T* to, const V& from) {
    std::memcpy(to, &from, sizeof(V));
}

// Calls body(k, k % lanes) for every k below count: sums kept per lane come out the same whatever vectors the
// compiler uses.
template <std::size_t lanes, class Body>
MORPHOBENCH_INLINE void for_lanes(std::size_t count, const Body& body) {
    std::size_t k = 0;
    for (; k + lanes <= count; k += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane)
            body(k + lane, lane);
    for (std::size_t lane = 0; k < count; ++k, ++lane)
        body(k, lane);
}

// The sum of eight lanes, in the order in which vectors are halved.
template <class T>
MORPHOBENCH_INLINE T sum_of_lanes(const T (&lane)[8]) {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

} // namespace morphobench
