#include "network/conv_pool_stem.hpp"

#include <algorithm>
#include <vector>

#include "core/vector.hpp"

// These kernels are sums of products: let the compiler fuse multiply and add.
#if defined(__clang__)
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

namespace morphobench {
namespace {

constexpr std::size_t kTaps = 9, kPool = 4, kBlock = 2; // kBlock vectors of features at a time

// Copies image n into the middle of a zero border one pixel wide.
template <class T>
MORPHOBENCH_INLINE void pad(const StemShape& shape, const T* image, T* padded) {
    const std::size_t wide = shape.width + 2, plane = (shape.height + 2) * wide;
    for (std::size_t c = 0; c < shape.channels; ++c)
        for (std::size_t y = 0; y < shape.height; ++y)
            std::copy_n(image + (c * shape.height + y) * shape.width, shape.width,
                        padded + c * plane + (y + 1) * wide + 1);
}

// `Pixels` neighbouring pooled pixels, kBlock vectors of features. `corner` is the first pixel's patch.
template <class T, std::size_t Pixels>
MORPHOBENCH_INLINE void stem_pixels(const StemShape& shape, const T* corner, const T* weight, const T* bias,
                                    T* out, std::uint8_t* choice) {
    using Vector = typename Lanes<T>::Vector;
    using Index = typename Lanes<T>::Index;
    using Bytes = typename Lanes<T>::Bytes;
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t wide = shape.width + 2, plane = (shape.height + 2) * wide;
    Vector sums[Pixels][kPool][kBlock] = {};
    for (std::size_t c = 0; c < shape.channels; ++c)
#pragma GCC unroll 9
        for (std::size_t tap = 0; tap < kTaps; ++tap) {
            Vector w[kBlock];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < kBlock; ++v)
                load(w[v], weight + (c * kTaps + tap) * shape.features + v * lanes);
#pragma GCC unroll 2
            for (std::size_t pixel = 0; pixel < Pixels; ++pixel)
#pragma GCC unroll 4
                for (std::size_t at = 0; at < kPool; ++at) {
                    const T x = corner[c * plane + (at / 2 + tap / 3) * wide + at % 2 + tap % 3 + 2 * pixel];
#pragma GCC unroll 2
                    for (std::size_t v = 0; v < kBlock; ++v)
                        sums[pixel][at][v] += w[v] * x;
                }
        }
#pragma GCC unroll 2
    for (std::size_t pixel = 0; pixel < Pixels; ++pixel)
#pragma GCC unroll 2
        for (std::size_t v = 0; v < kBlock; ++v) {
            Vector best = sums[pixel][0][v], shift;
            Index winner = {};
#pragma GCC unroll 3
            for (std::size_t at = 1; at < kPool; ++at) {
                // "not smaller or equal", so that a NaN wins and is seen
                const Index keep = sums[pixel][at][v] <= best;
                best = keep ? best : sums[pixel][at][v];
                winner = keep ? winner : Index{} + static_cast<int>(at);
            }
            load(shift, bias + v * lanes);
            best += shift;
            const Index zero = best <= Vector{};
            best = zero ? Vector{} : best;
            winner = zero ? Index{} + static_cast<int>(kPool) : winner;
            store(out + pixel * shape.features + v * lanes, best);
            store(choice + pixel * shape.features + v * lanes, __builtin_convertvector(winner, Bytes));
        }
}

template <class T>
MORPHOBENCH_INLINE void forward(const StemShape& shape, const T* images, const T* weight, const T* bias,
                                T* out, std::uint8_t* choice) {
    constexpr std::size_t block = kBlock * Lanes<T>::count;
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

// One image's share of the gradients of channel c, kBlock vectors of features.
template <class T>
MORPHOBENCH_INLINE void backward_image(const StemShape& shape, const T* channel, const T* gradient,
                                       const std::uint8_t* choice, T* weight_gradient, T* bias_gradient) {
    using Vector = typename Lanes<T>::Vector;
    using Index = typename Lanes<T>::Index;
    using Bytes = typename Lanes<T>::Bytes;
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t wide = shape.width + 2, features = shape.features;
    Vector taps[kTaps][kBlock] = {}, total[kBlock] = {};
    for (std::size_t i = 0; i < shape.height / 2; ++i)
        for (std::size_t j = 0; j < shape.width / 2; ++j) {
            const std::size_t pixel = (i * (shape.width / 2) + j) * features;
            const T* const corner = channel + 2 * i * wide + 2 * j;
            Vector g[kBlock];
            Index winner[kBlock];
#pragma GCC unroll 2
            for (std::size_t v = 0; v < kBlock; ++v) {
                Bytes bytes;
                load(g[v], gradient + pixel + v * lanes);
                load(bytes, choice + pixel + v * lanes);
                winner[v] = __builtin_convertvector(bytes, Index);
                total[v] += winner[v] < static_cast<int>(kPool) ? g[v] : Vector{};
            }
#pragma GCC unroll 4
            for (std::size_t at = 0; at < kPool; ++at) {
                Vector share[kBlock];
#pragma GCC unroll 2
                for (std::size_t v = 0; v < kBlock; ++v)
                    share[v] = winner[v] == static_cast<int>(at) ? g[v] : Vector{};
#pragma GCC unroll 9
                for (std::size_t tap = 0; tap < kTaps; ++tap) {
                    const T x = corner[(at / 2 + tap / 3) * wide + at % 2 + tap % 3];
#pragma GCC unroll 2
                    for (std::size_t v = 0; v < kBlock; ++v)
                        taps[tap][v] += share[v] * x;
                }
            }
        }
    for (std::size_t v = 0; v < kBlock; ++v) {
        for (std::size_t tap = 0; tap < kTaps; ++tap) {
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
MORPHOBENCH_INLINE void backward(const StemShape& shape, const T* images, const T* gradient,
                                 const std::uint8_t* choice, T* weight_gradient, T* bias_gradient) {
    constexpr std::size_t block = kBlock * Lanes<T>::count;
    const std::size_t plane = (shape.height + 2) * (shape.width + 2), features = shape.features;
    const std::size_t pooled = shape.height / 2 * (shape.width / 2) * features;
    std::fill_n(weight_gradient, shape.channels * kTaps * features, T{});
    std::fill_n(bias_gradient, features, T{});
    std::vector<T> padded(shape.channels * plane);
    for (std::size_t n = 0; n < shape.images; ++n) {
        pad(shape, images + n * shape.channels * shape.height * shape.width, padded.data());
        for (std::size_t c = 0; c < shape.channels; ++c)
            for (std::size_t f = 0; f < features; f += block)
                backward_image(shape, padded.data() + c * plane, gradient + n * pooled + f,
                               choice + n * pooled + f, weight_gradient + c * kTaps * features + f,
                               c ? nullptr : bias_gradient + f);
    }
}

} // namespace

MORPHOBENCH_CLONES void stem_forward(const StemShape& shape, const float* images, const float* weight,
                                     const float* bias, float* out, std::uint8_t* choice) {
    forward(shape, images, weight, bias, out, choice);
}

MORPHOBENCH_CLONES void stem_forward(const StemShape& shape, const double* images, const double* weight,
                                     const double* bias, double* out, std::uint8_t* choice) {
    forward(shape, images, weight, bias, out, choice);
}

MORPHOBENCH_CLONES void stem_backward(const StemShape& shape, const float* images, const float* gradient,
                                      const std::uint8_t* choice, float* weight_gradient,
                                      float* bias_gradient) {
    backward(shape, images, gradient, choice, weight_gradient, bias_gradient);
}

MORPHOBENCH_CLONES void stem_backward(const StemShape& shape, const double* images, const double* gradient,
                                      const std::uint8_t* choice, double* weight_gradient,
                                      double* bias_gradient) {
    backward(shape, images, gradient, choice, weight_gradient, bias_gradient);
}

} // namespace morphobench
