#include <string>

#include "bindings/arrays.hpp"
#include "network/conv_pool_stem.hpp"
#include "network/max_pool_relu.hpp"
#include "network/output_conv.hpp"
#include "network/pixel_shuffle.hpp"

namespace py = pybind11;

namespace morphobench {
namespace {

std::size_t extent(const py::array& array, py::ssize_t axis) {
    return static_cast<std::size_t>(array.shape(axis));
}

void require_features(std::size_t features, const char* name) {
    if (features == 0 || features % 32)
        refuse(name, "have a positive multiple of 32 features", std::to_string(features));
}

void require_even(const py::array& array, py::ssize_t axis, const char* name) {
    if (array.shape(axis) % 2 || array.shape(axis + 1) % 2 || array.shape(axis) == 0 ||
        array.shape(axis + 1) == 0)
        refuse(name, "have an even height and width", "shape " + text_of(shape_of(array)));
}

// Calls body(T{}) for the array's dtype, float32 or float64.
template <class Body>
void for_dtype(const py::array& array, const char* name, Body&& body) {
    if (py::dtype::of<float>().equal(array.dtype()))
        body(float{});
    else if (py::dtype::of<double>().equal(array.dtype()))
        body(double{});
    else
        throw py::type_error(std::string(name) + " must have dtype float32 or float64, got " +
                             text_of(array.dtype()));
}

ConvPoolShape stem_shape(const py::array& images, const py::array& pooled) {
    require_rank(images, 4, "images");
    require_even(images, 2, "images");
    require_rank(pooled, 4, "out");
    require_features(extent(pooled, 3), "out");
    return {extent(images, 0), extent(images, 1), extent(images, 2), extent(images, 3), extent(pooled, 3)};
}

Shape pooled_shape(std::size_t images, std::size_t height, std::size_t width, std::size_t features) {
    return {static_cast<py::ssize_t>(images), static_cast<py::ssize_t>(height / 2),
            static_cast<py::ssize_t>(width / 2), static_cast<py::ssize_t>(features)};
}

void conv_pool_stem_forward(const py::array& images, const py::array& weight, const py::array& bias,
                            py::array out, py::array choice) {
    const ConvPoolShape shape = stem_shape(images, out);
    const Shape pooled = pooled_shape(shape.images, shape.height, shape.width, shape.features);
    for_dtype(images, "images", [&](auto of) {
        using T = decltype(of);
        const T* const x = input<T>(images, shape_of(images), "images");
        const T* const w = input<T>(weight, {images.shape(1), 9, out.shape(3)}, "weight");
        const T* const b = input<T>(bias, {out.shape(3)}, "bias");
        T* const y = output<T>(out, pooled, "out");
        std::uint8_t* const which = output<std::uint8_t>(choice, pooled, "choice");
        const py::gil_scoped_release release;
        ConvPoolStem<T>::forward(shape, x, w, b, y, which);
    });
}

void conv_pool_stem_backward(const py::array& images, const py::array& gradient, const py::array& choice,
                             py::array weight_gradient, py::array bias_gradient) {
    const ConvPoolShape shape = stem_shape(images, gradient);
    const Shape pooled = pooled_shape(shape.images, shape.height, shape.width, shape.features);
    for_dtype(images, "images", [&](auto of) {
        using T = decltype(of);
        const T* const x = input<T>(images, shape_of(images), "images");
        const T* const g = input<T>(gradient, pooled, "gradient");
        const std::uint8_t* const which = input<std::uint8_t>(choice, pooled, "choice");
        T* const w = output<T>(weight_gradient, {images.shape(1), 9, gradient.shape(3)}, "weight_gradient");
        T* const b = output<T>(bias_gradient, {gradient.shape(3)}, "bias_gradient");
        const py::gil_scoped_release release;
        ConvPoolStem<T>::backward(shape, x, g, which, w, b);
    });
}

PoolShape pool_shape(const py::array& in) {
    require_rank(in, 4, "images");
    require_even(in, 1, "images");
    require_features(extent(in, 3), "images");
    return {extent(in, 0), extent(in, 1), extent(in, 2), extent(in, 3)};
}

void max_pool_relu_forward(const py::array& images, py::array out, py::array choice) {
    const PoolShape shape = pool_shape(images);
    const Shape pooled = pooled_shape(shape.images, shape.height, shape.width, shape.features);
    for_dtype(images, "images", [&](auto of) {
        using T = decltype(of);
        const T* const x = input<T>(images, shape_of(images), "images");
        T* const y = output<T>(out, pooled, "out");
        std::uint8_t* const which = output<std::uint8_t>(choice, pooled, "choice");
        const py::gil_scoped_release release;
        MaxPoolRelu<T>::forward(shape, x, y, which);
    });
}

void max_pool_relu_backward(const py::array& gradient, const py::array& choice, py::array image_gradient) {
    const PoolShape shape = pool_shape(image_gradient);
    const Shape pooled = pooled_shape(shape.images, shape.height, shape.width, shape.features);
    for_dtype(gradient, "gradient", [&](auto of) {
        using T = decltype(of);
        const T* const g = input<T>(gradient, pooled, "gradient");
        const std::uint8_t* const which = input<std::uint8_t>(choice, pooled, "choice");
        T* const x = output<T>(image_gradient, shape_of(image_gradient), "image_gradient");
        const py::gil_scoped_release release;
        MaxPoolRelu<T>::backward(shape, g, which, x);
    });
}

SubpixelGrid grid_shape(const py::array& grid) {
    require_rank(grid, 5, "grid");
    if (grid.shape(1) < 2 || grid.shape(2) < 2 || grid.shape(3) != 4)
        refuse("grid", "have shape (N, h + 1, w + 1, 4, F)", text_of(shape_of(grid)));
    require_features(extent(grid, 4), "grid");
    return {extent(grid, 0), extent(grid, 1) - 1, extent(grid, 2) - 1, extent(grid, 4)};
}

Shape large_shape(const py::array& grid) {
    return {grid.shape(0), 2 * (grid.shape(1) - 1), 2 * (grid.shape(2) - 1), grid.shape(4)};
}

void pixel_shuffle_forward(const py::array& grid, py::array out) {
    const SubpixelGrid shape = grid_shape(grid);
    for_dtype(grid, "grid", [&](auto of) {
        using T = decltype(of);
        const T* const x = input<T>(grid, shape_of(grid), "grid");
        T* const y = output<T>(out, large_shape(grid), "out");
        const py::gil_scoped_release release;
        PixelShuffle<T>::forward(shape, x, y);
    });
}

void pixel_shuffle_backward(const py::array& gradient, const py::array& out, py::array grid_gradient) {
    const SubpixelGrid shape = grid_shape(grid_gradient);
    for_dtype(gradient, "gradient", [&](auto of) {
        using T = decltype(of);
        const T* const g = input<T>(gradient, large_shape(grid_gradient), "gradient");
        const T* const y = input<T>(out, large_shape(grid_gradient), "out");
        T* const x = output<T>(grid_gradient, shape_of(grid_gradient), "grid_gradient");
        const py::gil_scoped_release release;
        PixelShuffle<T>::backward(shape, g, y, x);
    });
}

// The large image of a grid, as logits: (N, C, 2h, 2w). The kernel takes eight pixels of a row at a time.
Shape logits_shape(const py::array& grid, py::ssize_t channels) {
    if ((grid.shape(2) - 1) % 4)
        refuse("grid", "have w + 1 columns with w a multiple of 4", "shape " + text_of(shape_of(grid)));
    return {grid.shape(0), channels, 2 * (grid.shape(1) - 1), 2 * (grid.shape(2) - 1)};
}

void output_conv_forward(const py::array& grid, const py::array& weight, const py::array& bias,
                         py::array logits) {
    const SubpixelGrid shape = grid_shape(grid);
    require_rank(bias, 1, "bias");
    const Shape large = logits_shape(grid, bias.shape(0));
    for_dtype(grid, "grid", [&](auto of) {
        using T = decltype(of);
        const T* const x = input<T>(grid, shape_of(grid), "grid");
        const T* const w = input<T>(weight, {bias.shape(0), 9, grid.shape(4)}, "weight");
        const T* const b = input<T>(bias, shape_of(bias), "bias");
        T* const y = output<T>(logits, large, "logits");
        const py::gil_scoped_release release;
        OutputConv<T>::forward(shape, extent(bias, 0), x, w, b, y);
    });
}

void output_conv_backward(const py::array& gradient, const py::array& grid, const py::array& weight,
                          py::array grid_gradient, py::array weight_gradient) {
    const SubpixelGrid shape = grid_shape(grid);
    require_rank(weight, 3, "weight");
    const Shape large = logits_shape(grid, weight.shape(0));
    for_dtype(gradient, "gradient", [&](auto of) {
        using T = decltype(of);
        const T* const g = input<T>(gradient, large, "gradient");
        const T* const x = input<T>(grid, shape_of(grid), "grid");
        const T* const w = input<T>(weight, {weight.shape(0), 9, grid.shape(4)}, "weight");
        T* const dx = output<T>(grid_gradient, shape_of(grid), "grid_gradient");
        T* const dw = output<T>(weight_gradient, shape_of(weight), "weight_gradient");
        const py::gil_scoped_release release;
        OutputConv<T>::backward(shape, extent(weight, 0), g, x, w, dx, dw);
    });
}

} // namespace

void register_network(py::module_& module) {
    using py::arg;
    module.def("conv_pool_stem_forward", &conv_pool_stem_forward, arg("images"), arg("weight"), arg("bias"),
               arg("out"), arg("choice"),
               "3x3 convolution (padding 1), 2x2 max-pool, ReLU: images (N, C, H, W), weight (C, 9, F), bias "
               "(F,) to out (N, H/2, W/2, F); choice, uint8, which pixel of a pool won, 4 where out is 0.");
    module.def("conv_pool_stem_backward", &conv_pool_stem_backward, arg("images"), arg("gradient"),
               arg("choice"), arg("weight_gradient"), arg("bias_gradient"),
               "conv_pool_stem_forward's gradients of weight and bias, from that of its out.");
    module.def("max_pool_relu_forward", &max_pool_relu_forward, arg("images"), arg("out"), arg("choice"),
               "2x2 max-pool, ReLU: images (N, H, W, F) to out (N, H/2, W/2, F); choice as "
               "conv_pool_stem_forward's.");
    module.def("max_pool_relu_backward", &max_pool_relu_backward, arg("gradient"), arg("choice"),
               arg("image_gradient"), "max_pool_relu_forward's gradient of images, from that of its out.");
    module.def(
        "pixel_shuffle_forward", &pixel_shuffle_forward, arg("grid"), arg("out"),
        "The large image's phases (N, h + 1, w + 1, 4, F) to the rectified large image (N, 2h, 2w, F).");
    module.def("pixel_shuffle_backward", &pixel_shuffle_backward, arg("gradient"), arg("out"),
               arg("grid_gradient"), "pixel_shuffle_forward's gradient of grid, from that of its out.");
    module.def(
        "output_conv_forward", &output_conv_forward, arg("grid"), arg("weight"), arg("bias"), arg("logits"),
        "3x3 convolution (padding 1) of pixel_shuffle_forward's result, which is not made: weight (C, 9, F), "
        "bias (C,), logits (N, C, 2h, 2w).");
    module.def("output_conv_backward", &output_conv_backward, arg("gradient"), arg("grid"), arg("weight"),
               arg("grid_gradient"), arg("weight_gradient"),
               "output_conv_forward's gradients of grid and weight, from that of its logits.");
}

} // namespace morphobench
