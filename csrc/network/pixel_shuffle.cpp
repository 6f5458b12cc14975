#include "network/pixel_shuffle.hpp"
#include "core/vector.hpp"
#include "dispatch/at_level.hpp"

namespace morphobench {
namespace {

template <class T>
MORPHOBENCH_INLINE void forward_pass(const SubpixelGrid& shape, const T* grid, T* out) {
    using Vector = typename Lanes<T>::Vector;
    for (std::size_t n = 0; n < shape.images; ++n, grid += shape.cells())
        for (std::size_t y = 0; y < 2 * shape.height; ++y)
            for (std::size_t x = 0; x < 2 * shape.width; ++x) {
                const T* const from = grid + shape.at(y, x);
                for (std::size_t f = 0; f < shape.features; f += Lanes<T>::count) {
                    Vector value;
                    load(value, from + f);
                    value = value <= Vector{} ? Vector{} : value; // a NaN stays
                    store(out + f, value);
                }
                out += shape.features;
            }
}

template <class T>
MORPHOBENCH_INLINE void backward_pass(const SubpixelGrid& shape, const T* gradient, const T* out,
                                      T* grid_gradient) {
    using Vector = typename Lanes<T>::Vector;
    for (std::size_t n = 0; n < shape.images; ++n, grid_gradient += shape.cells()) {
        zero_border(shape, grid_gradient);
        for (std::size_t y = 0; y < 2 * shape.height; ++y)
            for (std::size_t x = 0; x < 2 * shape.width; ++x) {
                T* const to = grid_gradient + shape.at(y, x);
                for (std::size_t f = 0; f < shape.features; f += Lanes<T>::count) {
                    Vector value, passed;
                    load(value, out + f);
                    load(passed, gradient + f);
                    passed = value > Vector{} ? passed : Vector{};
                    store(to + f, passed);
                }
                out += shape.features;
                gradient += shape.features;
            }
    }
}

} // namespace

template <class T>
void PixelShuffle<T>::forward(const SubpixelGrid& shape, const T* grid, T* out) {
    at_level<forward_pass<T>>(shape, grid, out);
}

template <class T>
void PixelShuffle<T>::backward(const SubpixelGrid& shape, const T* gradient, const T* out, T* grid_gradient) {
    at_level<backward_pass<T>>(shape, gradient, out, grid_gradient);
}

template struct PixelShuffle<float>;
template struct PixelShuffle<double>;

} // namespace morphobench
