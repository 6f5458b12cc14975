#include <algorithm>

#include "core/vector.hpp"
#include "network/subpixel_grid.hpp"

namespace morphobench {
namespace {

template <class T>
MORPHOBENCH_INLINE void forward(const PhaseGrid& shape, const T* grid, T* out) {
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
MORPHOBENCH_INLINE void backward(const PhaseGrid& shape, const T* gradient, const T* out, T* grid_gradient) {
    using Vector = typename Lanes<T>::Vector;
    for (std::size_t n = 0; n < shape.images; ++n, grid_gradient += shape.cells()) {
        // only the border cells have phases that no pixel reads; zero the first and last row, then the
        // columns
        const std::size_t cell = 4 * shape.features, row = (shape.width + 1) * cell;
        std::fill_n(grid_gradient, row, T{});
        std::fill_n(grid_gradient + shape.height * row, row, T{});
        for (std::size_t i = 1; i < shape.height; ++i) {
            std::fill_n(grid_gradient + i * row, cell, T{});
            std::fill_n(grid_gradient + i * row + shape.width * cell, cell, T{});
        }
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

MORPHOBENCH_CLONES void unfold_forward(const PhaseGrid& shape, const float* grid, float* out) {
    forward(shape, grid, out);
}

MORPHOBENCH_CLONES void unfold_forward(const PhaseGrid& shape, const double* grid, double* out) {
    forward(shape, grid, out);
}

MORPHOBENCH_CLONES void unfold_backward(const PhaseGrid& shape, const float* gradient, const float* out,
                                        float* grid_gradient) {
    backward(shape, gradient, out, grid_gradient);
}

MORPHOBENCH_CLONES void unfold_backward(const PhaseGrid& shape, const double* gradient, const double* out,
                                        double* grid_gradient) {
    backward(shape, gradient, out, grid_gradient);
}

} // namespace morphobench
