#include <algorithm>
#include <vector>

#include "core/vector.hpp"
#include "network/subpixel_grid.hpp"

// These kernels are sums of products: let the compiler fuse multiply and add.
#if defined(__clang__)
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

namespace morphobench {
namespace {

constexpr std::size_t kTaps = 9, kPixels = 8, kBlock = 2;

// Rectified features times weights whose innermost axis is (channel, tap), padded to whole vectors: the share
// of each pixel in the nine logits around it. Pixels x .. x + kPixels of one row; `shares` is (pixels,
// stride).
template <class T>
MORPHOBENCH_INLINE void shares_of(const PhaseGrid& shape, const T* grid, std::size_t y, std::size_t x,
                                  const T* weight, std::size_t stride, T* rectified, T* shares) {
    using Vector = typename Lanes<T>::Vector;
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
        const T* const from = grid + shape.at(y, x + pixel);
        for (std::size_t f = 0; f < shape.features; f += Lanes<T>::count) {
            Vector value;
            load(value, from + f);
            value = value <= Vector{} ? Vector{} : value; // a NaN stays
            store(rectified + pixel * shape.features + f, value);
        }
    }
    for (std::size_t at = 0; at < stride; at += Lanes<T>::count) {
        Vector sums[kPixels] = {};
        for (std::size_t f = 0; f < shape.features; ++f) {
            Vector w;
            load(w, weight + f * stride + at);
#pragma GCC unroll 8
            for (std::size_t pixel = 0; pixel < kPixels; ++pixel)
                sums[pixel] += w * rectified[pixel * shape.features + f];
        }
        for (std::size_t pixel = 0; pixel < kPixels; ++pixel)
            store(shares + pixel * stride + at, sums[pixel]);
    }
}

template <class T>
MORPHOBENCH_INLINE void forward(const PhaseGrid& shape, std::size_t channels, const T* grid, const T* weight,
                                const T* bias, T* logits) {
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t high = 2 * shape.height, wide = 2 * shape.width;
    const std::size_t stride = (channels * kTaps + lanes - 1) / lanes * lanes, row = (wide + 2) * stride;
    std::vector<T> turned(shape.features * stride), rectified(kPixels * shape.features);
    for (std::size_t k = 0; k < channels * kTaps; ++k)
        for (std::size_t f = 0; f < shape.features; ++f)
            turned[f * stride + k] = weight[k * shape.features + f];
    // the border stays zero: pixels outside the image have no share
    std::vector<T> shares((high + 2) * row);
    for (std::size_t n = 0; n < shape.images; ++n, grid += shape.cells()) {
        for (std::size_t y = 0; y < high; ++y)
            for (std::size_t x = 0; x < wide; x += kPixels)
                shares_of(shape, grid, y, x, turned.data(), stride, rectified.data(),
                          shares.data() + (y + 1) * row + (x + 1) * stride);
        for (std::size_t c = 0; c < channels; ++c)
            for (std::size_t y = 0; y < high; ++y)
                for (std::size_t x = 0; x < wide; ++x) {
                    const T* const corner = shares.data() + y * row + x * stride + c * kTaps;
                    T sum = bias[c];
#pragma GCC unroll 9
                    for (std::size_t tap = 0; tap < kTaps; ++tap)
                        sum += corner[tap / 3 * row + tap % 3 * stride + tap];
                    *logits++ = sum;
                }
    }
}

// One image and channel, kBlock vectors of features: adds to both gradients. `padded` is the logits' gradient
// in a zero border.
template <class T>
MORPHOBENCH_INLINE void backward_image(const PhaseGrid& shape, const T* padded, const T* grid,
                                       const T* weight, bool first, T* grid_gradient, T* weight_gradient) {
    using Vector = typename Lanes<T>::Vector;
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t wide = 2 * shape.width;
    Vector taps[kTaps][kBlock];
    for (std::size_t tap = 0; tap < kTaps; ++tap)
        for (std::size_t v = 0; v < kBlock; ++v)
            load(taps[tap][v], weight_gradient + tap * shape.features + v * lanes);
    for (std::size_t y = 0; y < 2 * shape.height; ++y)
        for (std::size_t x = 0; x < wide; ++x) {
            const std::size_t at = shape.at(y, x);
            Vector value[kBlock], passed[kBlock] = {};
#pragma GCC unroll 2
            for (std::size_t v = 0; v < kBlock; ++v) {
                load(value[v], grid + at + v * lanes);
                value[v] = value[v] > Vector{} ? value[v] : Vector{};
            }
#pragma GCC unroll 9
            for (std::size_t tap = 0; tap < kTaps; ++tap) {
                // this pixel is tap (dy, dx) of the logit at (y - dy, x - dx)
                const T g = padded[(y + 2 - tap / 3) * (wide + 2) + x + 2 - tap % 3];
#pragma GCC unroll 2
                for (std::size_t v = 0; v < kBlock; ++v) {
                    Vector w;
                    load(w, weight + tap * shape.features + v * lanes);
                    taps[tap][v] += value[v] * g;
                    passed[v] += w * g;
                }
            }
#pragma GCC unroll 2
            for (std::size_t v = 0; v < kBlock; ++v) {
                passed[v] = value[v] > Vector{} ? passed[v] : Vector{};
                if (!first) {
                    Vector before;
                    load(before, grid_gradient + at + v * lanes);
                    passed[v] += before;
                }
                store(grid_gradient + at + v * lanes, passed[v]);
            }
        }
    for (std::size_t tap = 0; tap < kTaps; ++tap)
        for (std::size_t v = 0; v < kBlock; ++v)
            store(weight_gradient + tap * shape.features + v * lanes, taps[tap][v]);
}

template <class T>
MORPHOBENCH_INLINE void backward(const PhaseGrid& shape, std::size_t channels, const T* gradient,
                                 const T* grid, const T* weight, T* grid_gradient, T* weight_gradient) {
    constexpr std::size_t block = kBlock * Lanes<T>::count;
    const std::size_t high = 2 * shape.height, wide = 2 * shape.width;
    const std::size_t cell = 4 * shape.features, row = (shape.width + 1) * cell;
    std::fill_n(weight_gradient, channels * kTaps * shape.features, T{});
    std::vector<T> padded((high + 2) * (wide + 2));
    for (std::size_t n = 0; n < shape.images; ++n, grid += shape.cells(), grid_gradient += shape.cells()) {
        // only the border cells have phases that no pixel reads
        std::fill_n(grid_gradient, row, T{});
        std::fill_n(grid_gradient + shape.height * row, row, T{});
        for (std::size_t i = 1; i < shape.height; ++i) {
            std::fill_n(grid_gradient + i * row, cell, T{});
            std::fill_n(grid_gradient + i * row + shape.width * cell, cell, T{});
        }
        for (std::size_t c = 0; c < channels; ++c, gradient += high * wide) {
            for (std::size_t y = 0; y < high; ++y)
                std::copy_n(gradient + y * wide, wide, padded.data() + (y + 1) * (wide + 2) + 1);
            const std::size_t start = c * kTaps * shape.features;
            for (std::size_t f = 0; f < shape.features; f += block)
                backward_image(shape, padded.data(), grid + f, weight + start + f, c == 0, grid_gradient + f,
                               weight_gradient + start + f);
        }
    }
}

} // namespace

MORPHOBENCH_CLONES void readout_forward(const PhaseGrid& shape, std::size_t channels, const float* grid,
                                        const float* weight, const float* bias, float* logits) {
    forward(shape, channels, grid, weight, bias, logits);
}

MORPHOBENCH_CLONES void readout_forward(const PhaseGrid& shape, std::size_t channels, const double* grid,
                                        const double* weight, const double* bias, double* logits) {
    forward(shape, channels, grid, weight, bias, logits);
}

MORPHOBENCH_CLONES void readout_backward(const PhaseGrid& shape, std::size_t channels, const float* gradient,
                                         const float* grid, const float* weight, float* grid_gradient,
                                         float* weight_gradient) {
    backward(shape, channels, gradient, grid, weight, grid_gradient, weight_gradient);
}

MORPHOBENCH_CLONES void readout_backward(const PhaseGrid& shape, std::size_t channels, const double* gradient,
                                         const double* grid, const double* weight, double* grid_gradient,
                                         double* weight_gradient) {
    backward(shape, channels, gradient, grid, weight, grid_gradient, weight_gradient);
}

} // namespace morphobench
