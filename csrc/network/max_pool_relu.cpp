#include "network/max_pool_relu.hpp"

#include "core/vector.hpp"
#include "dispatch/at_level.hpp"

namespace morphobench {
namespace {

constexpr std::size_t pool_pixels = 4;

template <class T>
MORPHOBENCH_INLINE void forward_pass(const PoolShape& shape, const T* in, T* out, std::uint8_t* choice) {
    using Vector = typename Lanes<T>::Vector;
    using Index = typename Lanes<T>::Index;
    using Bytes = typename Lanes<T>::Bytes;
    const std::size_t row = shape.width * shape.features;
    for (std::size_t y = 0; y < shape.images * (shape.height / 2); ++y)
        for (std::size_t x = 0; x < shape.width / 2; ++x)
            for (std::size_t f = 0; f < shape.features; f += Lanes<T>::count) {
                const T* const corner = in + 2 * y * row + 2 * x * shape.features + f;
                const std::size_t pixel = (y * (shape.width / 2) + x) * shape.features + f;
                Vector best;
                Index winner = {};
                load(best, corner);
                for (std::size_t at = 1; at < pool_pixels; ++at) {
                    Vector other;
                    load(other, corner + at / 2 * row + at % 2 * shape.features);
                    // "not smaller or equal", so that a NaN wins and is seen
                    const Index keep = other <= best;
                    best = keep ? best : other;
                    winner = keep ? winner : Index{} + static_cast<int>(at);
                }
                const Index zero = best <= Vector{};
                best = zero ? Vector{} : best;
                winner = zero ? Index{} + static_cast<int>(pool_pixels) : winner;
                store(out + pixel, best);
                store(choice + pixel, __builtin_convertvector(winner, Bytes));
            }
}

template <class T>
MORPHOBENCH_INLINE void backward_pass(const PoolShape& shape, const T* gradient, const std::uint8_t* choice,
                                      T* in_gradient) {
    using Vector = typename Lanes<T>::Vector;
    using Index = typename Lanes<T>::Index;
    using Bytes = typename Lanes<T>::Bytes;
    const std::size_t row = shape.width * shape.features;
    for (std::size_t y = 0; y < shape.images * (shape.height / 2); ++y)
        for (std::size_t x = 0; x < shape.width / 2; ++x)
            for (std::size_t f = 0; f < shape.features; f += Lanes<T>::count) {
                T* const corner = in_gradient + 2 * y * row + 2 * x * shape.features + f;
                const std::size_t pixel = (y * (shape.width / 2) + x) * shape.features + f;
                Vector g;
                Bytes bytes;
                load(g, gradient + pixel);
                load(bytes, choice + pixel);
                const Index winner = __builtin_convertvector(bytes, Index);
                for (std::size_t at = 0; at < pool_pixels; ++at) {
                    const Vector share = winner == static_cast<int>(at) ? g : Vector{};
                    store(corner + at / 2 * row + at % 2 * shape.features, share);
                }
            }
}

} // namespace

template <class T>
void MaxPoolRelu<T>::forward(const PoolShape& shape, const T* in, T* out, std::uint8_t* choice) {
    at_level<forward_pass<T>>(shape, in, out, choice);
}

template <class T>
void MaxPoolRelu<T>::backward(const PoolShape& shape, const T* gradient, const std::uint8_t* choice,
                              T* in_gradient) {
    at_level<backward_pass<T>>(shape, gradient, choice, in_gradient);
}

template struct MaxPoolRelu<float>;
template struct MaxPoolRelu<double>;

} // namespace morphobench
