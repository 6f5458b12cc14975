#include "network/conv_pool_stem.hpp"

#include <algorithm>
#include <vector>

#include "core/vector.hpp"
#include "dispatch/at_level.hpp"

// This file is compiled with -ffp-contract=fast (setup.py): its sums of products may fuse multiply and add.

namespace morphobench {
namespace {

constexpr std::size_t kernel_taps = 9, pool_pixels = 4,
                      block_vectors = 2; // block_vectors vectors of features at a time

// Copies image n into the middle of a zero border one pixel wide.
template <class T>
MORPHOBENCH_INLINE void pad(const ConvPoolShape& shape, const T* image, T* padded) {
    const std::size_t wide = shape.width + 2, plane = (shape.height + 2) * wide;
    for (std::size_t c = 0; c < shape.channels; ++c)
        for (std::size_t y = 0; y < shape.height; ++y)
            std::copy_n(image + (c * shape.height + y) * shape.width, shape.width,
                        padded + c * plane + (y + 1) * wide + 1);
}

// `Pixels` neighbouring pooled pixels, block_vectors vectors of features. `corner` is the first pixel's
// patch.
template <class T, std::size_t Pixels>
MORPHOBENCH_INLINE void stem_pixels(const ConvPoolShape& shape, const T* corner, const T* weight,
                                    const T* bias, T* out, std::uint8_t* choice) {
    using Vector = typename Lanes<T>::Vector;
    using Index = typename Lanes<T>::Index;
    using Bytes = typename Lanes<T>::Bytes;
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t wide = shape.width + 2, plane = (shape.height + 2) * wide;
    Vector sums[Pixels][pool_pixels][block_vectors] = {};
    for (std::size_t c = 0; c < shape.channels; ++c)
#pragma GCC unroll 9
        for (std::size_t tap = 0; tap < kernel_taps; ++tap) {
            Vector w[block_vectors];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < block_vectors; ++v)
                load(w[v], weight + (c * kernel_taps + tap) * shape.features + v * lanes);
#pragma GCC unroll 2
            for (std::size_t pixel = 0; pixel < Pixels; ++pixel)
#pragma GCC unroll 4
                for (std::size_t at = 0; at < pool_pixels; ++at) {
                    const T x = corner[c * plane + (at / 2 + tap / 3) * wide + at % 2 + tap % 3 + 2 * pixel];
#pragma GCC unroll 2
                    for (std::size_t v = 0; v < block_vectors; ++v)
                        sums[pixel][at][v] += w[v] * x;
                }
        }
#pragma GCC unroll 2
    for (std::size_t pixel = 0; pixel < Pixels; ++pixel)
#pragma GCC unroll 2
        for (std::size_t v = 0; v < block_vectors; ++v) {
            Vector best = sums[pixel][0][v], shift;
            Index winner = {};
#pragma GCC unroll 3
            for (std::size_t at = 1; at < pool_pixels; ++at) {
                // "not smaller or equal", so that a NaN wins and is seen
                const Index keep = sums[pixel][at][v] <= best;
                best = keep ? best : sums[pixel][at][v];
                winner = keep ? winner : Index{} + static_cast<int>(at);
            }
            load(shift, bias + v * lanes);
            best += shift;
            const Index zero = best <= Vector{};
            best = zero ? Vector{} : best;
            winner = zero ? Index{} + static_cast<int>(pool_pixels) : winner;
            store(out + pixel * shape.features + v * lanes, best);
            store(choice + pixel * shape.features + v * lanes, __builtin_convertvector(winner, Bytes));
        }
}

template <class T>
MORPHOBENCH_INLINE void forward_pass(const ConvPoolShape& shape, const T* images, const T* weight,
                                     const T* bias, T* out, std::uint8_t* choice) {
    constexpr std::size_t block = block_vectors * Lanes<T>::count;
    const std::size_t wide = shape.width + 2, features = shape.features, columns = shape.width / 2;
    std::vector<T> padded(shape.channels * (shape.height + 2) * wide);
    for (std::size_t n = 0; n < shape.images; ++n) {
        pad(shape, images + n * shape.channels * shape.height * shape.width, padded.data());
        for (std::size_t i = 0; i < shape.height / 2; ++i)
            for (std::size_t f = 0; f < features; f += block) {
                const T* const row = padded.data() + 2 * i * wide;
                const std::size_t start = ((n * shape.height / 2 + i) * columns) * features + f;
                std::size_t j = 0;
                for (; j + 2 <= columns; j += 2)
                    stem_pixels<T, 2>(shape, row + 2 * j, weight + f, bias + f, out + start + j * features,
                                      choice + start + j * features);
                if (j < columns)
                    stem_pixels<T, 1>(shape, row + 2 * j, weight + f, bias + f, out + start + j * features,
                                      choice + start + j * features);
            }
    }
}

// One image's share of the gradients of channel c, block_vectors vectors of features.
template <class T>
MORPHOBENCH_INLINE void backward_image(const ConvPoolShape& shape, const T* channel, const T* gradient,
                                       const std::uint8_t* choice, T* weight_gradient, T* bias_gradient) {
    using Vector = typename Lanes<T>::Vector;
    using Index = typename Lanes<T>::Index;
    using Bytes = typename Lanes<T>::Bytes;
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t wide = shape.width + 2, features = shape.features;
    Vector taps[kernel_taps][block_vectors] = {}, total[block_vectors] = {};
    for (std::size_t i = 0; i < shape.height / 2; ++i)
        for (std::size_t j = 0; j < shape.width / 2; ++j) {
            const std::size_t pixel = (i * (shape.width / 2) + j) * features;
            const T* const corner = channel + 2 * i * wide + 2 * j;
            Vector g[block_vectors];
            Index winner[block_vectors];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < block_vectors; ++v) {
                Bytes bytes;
                load(g[v], gradient + pixel + v * lanes);
                load(bytes, choice + pixel + v * lanes);
                winner[v] = __builtin_convertvector(bytes, Index);
                total[v] += winner[v] < static_cast<int>(pool_pixels) ? g[v] : Vector{};
            }
#pragma GCC unroll 4
            for (std::size_t at = 0; at < pool_pixels; ++at) {
                Vector share[block_vectors];
#pragma GCC unroll 2
                for (std::size_t v = 0; v < block_vectors; ++v)
                    share[v] = winner[v] == static_cast<int>(at) ? g[v] : Vector{};
#pragma GCC unroll 9
                for (std::size_t tap = 0; tap < kernel_taps; ++tap) {
                    const T x = corner[(at / 2 + tap / 3) * wide + at % 2 + tap % 3];
#pragma GCC unroll 2
                    for (std::size_t v = 0; v < block_vectors; ++v)
                        taps[tap][v] += share[v] * x;
                }
            }
        }
    for (std::size_t v = 0; v < block_vectors; ++v) {
        for (std::size_t tap = 0; tap < kernel_taps; ++tap) {
            Vector sum;
            load(sum, weight_gradient + tap * features + v * lanes);
            sum += taps[tap][v];
            store(weight_gradient + tap * features + v * lanes, sum);
        }
        if (bias_gradient) {
            Vector sum;
            load(sum, bias_gradient + v * lanes);
            sum += total[v];
            store(bias_gradient + v * lanes, sum);
        }
    }
}

template <class T>
MORPHOBENCH_INLINE void backward_pass(const ConvPoolShape& shape, const T* images, const T* gradient,
                                      const std::uint8_t* choice, T* weight_gradient, T* bias_gradient) {
    constexpr std::size_t block = block_vectors * Lanes<T>::count;
    const std::size_t plane = (shape.height + 2) * (shape.width + 2), features = shape.features;
    const std::size_t pooled = shape.height / 2 * (shape.width / 2) * features;
    std::fill_n(weight_gradient, shape.channels * kernel_taps * features, T{});
    std::fill_n(bias_gradient, features, T{});
    std::vector<T> padded(shape.channels * plane);
    for (std::size_t n = 0; n < shape.images; ++n) {
        pad(shape, images + n * shape.channels * shape.height * shape.width, padded.data());
        for (std::size_t c = 0; c < shape.channels; ++c)
            for (std::size_t f = 0; f < features; f += block)
                backward_image(shape, padded.data() + c * plane, gradient + n * pooled + f,
                               choice + n * pooled + f, weight_gradient + c * kernel_taps * features + f,
                               c ? nullptr : bias_gradient + f);
    }
}

} // namespace

template <class T>
void ConvPoolStem<T>::forward(const ConvPoolShape& shape, const T* images, const T* weight, const T* bias,
                              T* out, std::uint8_t* choice) {
    at_level<forward_pass<T>>(shape, images, weight, bias, out, choice);
}

template <class T>
void ConvPoolStem<T>::backward(const ConvPoolShape& shape, const T* images, const T* gradient,
                               const std::uint8_t* choice, T* weight_gradient, T* bias_gradient) {
    at_level<backward_pass<T>>(shape, images, gradient, choice, weight_gradient, bias_gradient);
}

template struct ConvPoolStem<float>;
template struct ConvPoolStem<double>;

} // namespace morphobench
