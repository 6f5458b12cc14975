#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/params_array.hpp"
#include "views/byol_pair.hpp"
#include "views/multi_crop.hpp"

namespace morphobench {

namespace {

// The side of the square views that `out` holds, after checking all of its shape.
std::int32_t checked_size(const py::array& out, const py::array& params, std::size_t channels) {
    require_rank(out, 5, "out");
    require_contiguous(out, "out");
    require_writeable(out, "out");
    require_aligned(out, static_cast<std::size_t>(out.itemsize()), "out");
    const py::ssize_t size = out.shape(4);
    if (size < 1 || size > 65535)
        refuse("out", "hold views of 1 to 65535 pixels", "shape " + text_of(shape_of(out)));
    require_shape(out, {params.shape(0), params.shape(1), static_cast<py::ssize_t>(channels), size, size},
                  "out");
    return static_cast<std::int32_t>(size);
}

// numpy has no bfloat16: its bits go into uint16.
PixelType pixel_type(const py::array& out) {
    const py::dtype dtype = out.dtype();
    if (py::dtype::of<float>().equal(dtype)) return PixelType::float32;
    if (py::dtype("float16").equal(dtype)) return PixelType::float16;
    if (py::dtype::of<std::uint16_t>().equal(dtype)) return PixelType::bfloat16;
    if (py::dtype::of<std::uint8_t>().equal(dtype)) return PixelType::uint8;
    throw py::type_error(
        "out must have dtype float32, float16, uint16 (the bits of bfloat16) or uint8, got " +
        text_of(dtype));
}

const std::int64_t* checked_rows(const py::array& rows, const py::array& params, py::ssize_t images) {
    const auto* data = input<std::int64_t>(rows, {params.shape(1)}, "rows");
    for (py::ssize_t n = 0; n < rows.size(); ++n)
        if (data[n] < 0 || data[n] >= images)
            refuse("rows[" + std::to_string(n) + "]", "be 0 to " + std::to_string(images - 1),
                   std::to_string(data[n]));
    return data;
}

void require_normalization(const std::vector<float>& mean, const std::vector<float>& deviation,
                           std::size_t channels) {
    if (mean.empty() && deviation.empty()) return;
    if (mean.size() != channels || deviation.size() != channels)
        refuse("mean and deviation", "hold a number for each of " + std::to_string(channels) + " channels",
               std::to_string(mean.size()) + " and " + std::to_string(deviation.size()));
    for (std::size_t c = 0; c < channels; ++c)
        if (!std::isfinite(mean[c]) || !std::isfinite(deviation[c]) || !(deviation[c] > 0.0f))
            refuse("mean and deviation", "be finite, deviation above 0",
                   std::to_string(mean[c]) + " and " + std::to_string(deviation[c]));
}

template <class Pixel>
void apply_to(const py::array& images, const std::optional<py::array>& rows, const py::array& params,
              py::array& out, std::vector<float> mean, std::vector<float> deviation, int threads) {
    ViewedImages<Pixel> viewed{images_view<Pixel>(images, "images"), nullptr};
    const ViewParamsArray fields = params_array(params);
    const std::size_t channels = viewed.images.channels;
    require_jitter(fields, channels);
    require_normalization(mean, deviation, channels);
    const std::int32_t size = checked_size(out, params, channels);
    ViewOutput output{out.mutable_data(), pixel_type(out), size, std::move(mean), std::move(deviation)};
    require_apart(out, images, "out", "images");
    require_apart(out, params, "out", "params");
    if (rows) {
        viewed.rows = checked_rows(*rows, params, images.shape(0));
        require_apart(out, *rows, "out", "rows");
    } else if (fields.images != viewed.images.images) {
        refuse("params", "have shape (V, " + std::to_string(viewed.images.images) + "), one column an image",
               text_of(shape_of(params)));
    }
    {
        const py::gil_scoped_release release;
        validate_view_params(fields, viewed.images.height, viewed.images.width);
        apply_views(viewed, fields, output, static_cast<unsigned>(threads));
    }
}

void apply(const py::array& images, const std::optional<py::array>& rows, const py::array& params,
           py::array out, std::vector<float> mean, std::vector<float> deviation, int threads) {
    require_threads(threads);
    if (py::dtype::of<std::uint16_t>().equal(images.dtype()))
        apply_to<std::uint16_t>(images, rows, params, out, std::move(mean), std::move(deviation), threads);
    else
        apply_to<std::uint8_t>(images, rows, params, out, std::move(mean), std::move(deviation), threads);
}

void apply_pair(const py::array& views, const py::array& params, py::array out, float mean, float deviation,
                int threads) {
    require_threads(threads);
    if (!std::isfinite(mean) || !(deviation > 0.0f) || !std::isfinite(deviation))
        refuse("normalization", "have a finite mean and a deviation above 0",
               std::to_string(mean) + " and " + std::to_string(deviation));
    const ImagesView<const float> in = images_view<float>(views, "views");
    const ViewParamsArray fields = params_array(params);
    require_dtype<float>(out, "out");
    const std::int32_t size = checked_size(out, params, in.channels);
    require_apart(out, views, "out", "views");
    require_apart(out, params, "out", "params");
    if (fields.images != in.images)
        refuse("params", "have shape (2, " + std::to_string(in.images) + "), one column an image",
               text_of(shape_of(params)));
    auto* const target = static_cast<float*>(out.mutable_data());
    {
        const py::gil_scoped_release release;
        validate_view_params(fields, in.height, in.width);
        apply_byol_pair(in, fields, size, {mean, deviation}, static_cast<unsigned>(threads), target);
    }
}

} // namespace

void register_views(py::module_& module) {
    module.def(
        "apply_views", &apply, py::arg("images"), py::arg("rows").none(true), py::arg("params"),
        py::arg("out"), py::kw_only(), py::arg("mean"), py::arg("deviation"), py::arg("threads"),
        "Fill out (V, N, C, S, S) with the views that params (V, N) describe, of images[rows] or images.");
    module.def(
        "apply_byol_pair", &apply_pair, py::arg("views"), py::arg("params"), py::arg("out"), py::kw_only(),
        py::arg("mean"), py::arg("deviation"), py::arg("threads"),
        "Fill out (P, N, C, S, S) with further views of views (N, C, H, W), as params (P, N) describe.");
}

} // namespace morphobench
