#include <algorithm>
#include <vector>

#include "core/vector.hpp"
#include "dispatch/at_level.hpp"
#include "network/output_conv.hpp"

// This file is compiled with -ffp-contract=fast (setup.py): its sums of products may fuse multiply and add.

namespace morphobench {
namespace {

constexpr std::size_t kernel_taps = 9, row_pixels = 8, block_vectors = 2;

// Rectified features times weights whose innermost axis is (channel, tap), padded to whole vectors: the share
// of each pixel in the nine logits around it. Pixels x .. x + row_pixels of one row; `shares` is (pixels,
// stride).
template <class T>
MORPHOBENCH_INLINE void shares_of(const SubpixelGrid& shape, const T* grid, std::size_t y, std::size_t x,
                                  const T* weight, std::size_t stride, T* rectified, T* shares) {
    using Vector = typename Lanes<T>::Vector;
    for (std::size_t pixel = 0; pixel < row_pixels; ++pixel) {
        const T* const from = grid + shape.at(y, x + pixel);
        for (std::size_t f = 0; f < shape.features; f += Lanes<T>::count) {
            Vector value;
            load(value, from + f);
            value = value <= Vector{} ? Vector{} : value; // a NaN stays
            store(rectified + pixel * shape.features + f, value);
        }
    }
    for (std::size_t at = 0; at < stride; at += Lanes<T>::count) {
        Vector sums[row_pixels] = {};
        for (std::size_t f = 0; f < shape.features; ++f) {
            Vector w;
            load(w, weight + f * stride + at);
#pragma GCC unroll 8
            for (std::size_t pixel = 0; pixel < row_pixels; ++pixel)
                sums[pixel] += w * rectified[pixel * shape.features + f];
        }
        for (std::size_t pixel = 0; pixel < row_pixels; ++pixel)
            store(shares + pixel * stride + at, sums[pixel]);
    }
}

template <class T>
MORPHOBENCH_INLINE void forward_pass(const SubpixelGrid& shape, std::size_t channels, const T* grid,
                                     const T* weight, const T* bias, T* logits) {
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t high = 2 * shape.height, wide = 2 * shape.width;
    const std::size_t stride = (channels * kernel_taps + lanes - 1) / lanes * lanes,
                      row = (wide + 2) * stride;
    std::vector<T> turned(shape.features * stride), rectified(row_pixels * shape.features);
    for (std::size_t k = 0; k < channels * kernel_taps; ++k)
        for (std::size_t f = 0; f < shape.features; ++f)
            turned[f * stride + k] = weight[k * shape.features + f];
    // the border stays zero: pixels outside the image have no share
    std::vector<T> shares((high + 2) * row);
    for (std::size_t n = 0; n < shape.images; ++n, grid += shape.cells()) {
        for (std::size_t y = 0; y < high; ++y)
            for (std::size_t x = 0; x < wide; x += row_pixels)
                shares_of(shape, grid, y, x, turned.data(), stride, rectified.data(),
                          shares.data() + (y + 1) * row + (x + 1) * stride);
        for (std::size_t c = 0; c < channels; ++c)
            for (std::size_t y = 0; y < high; ++y)
                for (std::size_t x = 0; x < wide; ++x) {
                    const T* const corner = shares.data() + y * row + x * stride + c * kernel_taps;
                    T sum = bias[c];
#pragma GCC unroll 9
                    for (std::size_t tap = 0; tap < kernel_taps; ++tap)
                        sum += corner[tap / 3 * row + tap % 3 * stride + tap];
                    *logits++ = sum;
                }
    }
}

// One image and channel, block_vectors vectors of features: adds to both gradients. `padded` is the logits'
// gradient in a zero border.
template <class T>
MORPHOBENCH_INLINE void backward_image(const SubpixelGrid& shape, const T* padded, const T* grid,
                                       const T* weight, bool first, T* grid_gradient, T* weight_gradient) {
    using Vector = typename Lanes<T>::Vector;
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t wide = 2 * shape.width;
    Vector taps[kernel_taps][block_vectors];
    for (std::size_t tap = 0; tap < kernel_taps; ++tap)
        for (std::size_t v = 0; v < block_vectors; ++v)
            load(taps[tap][v], weight_gradient + tap * shape.features + v * lanes);
    for (std::size_t y = 0; y < 2 * shape.height; ++y)
        for (std::size_t x = 0; x < wide; ++x) {
            const std::size_t at = shape.at(y, x);
            Vector value[block_vectors], passed[block_vectors] = {};
#pragma GCC unroll 2
            for (std::size_t v = 0; v < block_vectors; ++v) {
                load(value[v], grid + at + v * lanes);
                value[v] = value[v] > Vector{} ? value[v] : Vector{};
            }
#pragma GCC unroll 9
            for (std::size_t tap = 0; tap < kernel_taps; ++tap) {
                // this pixel is tap (dy, dx) of the logit at (y - dy, x - dx)
                const T g = padded[(y + 2 - tap / 3) * (wide + 2) + x + 2 - tap % 3];
#pragma GCC unroll 2
                for (std::size_t v = 0; v < block_vectors; ++v) {
                    Vector w;
                    load(w, weight + tap * shape.features + v * lanes);
                    taps[tap][v] += value[v] * g;
                    passed[v] += w * g;
                }
            }
#pragma GCC unroll 2
            for (std::size_t v = 0; v < block_vectors; ++v) {
                passed[v] = value[v] > Vector{} ? passed[v] : Vector{};
                if (!first) {
                    Vector before;
                    load(before, grid_gradient + at + v * lanes);
                    passed[v] += before;
                }
                store(grid_gradient + at + v * lanes, passed[v]);
            }
        }
    for (std::size_t tap = 0; tap < kernel_taps; ++tap)
        for (std::size_t v = 0; v < block_vectors; ++v)
            store(weight_gradient + tap * shape.features + v * lanes, taps[tap][v]);
}

template <class T>
MORPHOBENCH_INLINE void backward_pass(const SubpixelGrid& shape, std::size_t channels, const T* gradient,
                                      const T* grid, const T* weight, T* grid_gradient, T* weight_gradient) {
    constexpr std::size_t block = block_vectors * Lanes<T>::count;
    const std::size_t high = 2 * shape.height, wide = 2 * shape.width;
    std::fill_n(weight_gradient, channels * kernel_taps * shape.features, T{});
    std::vector<T> padded((high + 2) * (wide + 2));
    for (std::size_t n = 0; n < shape.images; ++n, grid += shape.cells(), grid_gradient += shape.cells()) {
        zero_border(shape, grid_gradient);
        for (std::size_t c = 0; c < channels; ++c, gradient += high * wide) {
            for (std::size_t y = 0; y < high; ++y)
                std::copy_n(gradient + y * wide, wide, padded.data() + (y + 1) * (wide + 2) + 1);
            const std::size_t start = c * kernel_taps * shape.features;
            for (std::size_t f = 0; f < shape.features; f += block)
                backward_image(shape, padded.data(), grid + f, weight + start + f, c == 0, grid_gradient + f,
                               weight_gradient + start + f);
        }
    }
}

} // namespace

template <class T>
void OutputConv<T>::forward(const SubpixelGrid& shape, std::size_t channels, const T* grid, const T* weight,
                            const T* bias, T* logits) {
    at_level<forward_pass<T>>(shape, channels, grid, weight, bias, logits);
}

template <class T>
void OutputConv<T>::backward(const SubpixelGrid& shape, std::size_t channels, const T* gradient,
                             const T* grid, const T* weight, T* grid_gradient, T* weight_gradient) {
    at_level<backward_pass<T>>(shape, channels, gradient, grid, weight, grid_gradient, weight_gradient);
}

template struct OutputConv<float>;
template struct OutputConv<double>;

} // namespace morphobench
