#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "multi_crop.hpp"
#include "pair_views.hpp"

namespace morphobench {

namespace {

using Range = std::pair<double, double>;

DrawFields draw_fields(const py::array& params) {
    constexpr const char* name = "params";
    const FieldView<bool> flip = field_view<bool>(params, "flip", name);
    return {field_view<std::int32_t>(params, "top", name),    field_view<std::int32_t>(params, "left", name),
            field_view<std::int32_t>(params, "height", name), field_view<std::int32_t>(params, "width", name),
            {flip.data, flip.row_stride, flip.column_stride}, field_view<float>(params, "blur_sigma", name),
            static_cast<std::size_t>(params.shape(0)),        static_cast<std::size_t>(params.shape(1))};
}

void require_threads(int threads) {
    if (threads < 1) throw py::value_error("threads: at least 1 wanted, got " + std::to_string(threads));
}

void require_range(const Range& range, double least, double most, const char* name) {
    if (!(range.first >= least && range.first <= range.second && range.second <= most))
        throw py::value_error(std::string(name) + ": " + std::to_string(least) +
                              " <= low <= high <= " + std::to_string(most) + " wanted, got (" +
                              std::to_string(range.first) + ", " + std::to_string(range.second) + ")");
}

void draw(const py::array& params, const py::array& image_ids, std::uint64_t seed, std::uint32_t epoch,
          std::uint16_t first_view, std::int32_t height, std::int32_t width, const Range& scale,
          const Range& ratio, double flip, double blur, const Range& sigma, int threads) {
    require_threads(threads);
    require_range(scale, 1e-9, 1.0, "scale");
    require_range(ratio, 1e-6, 1e6, "ratio");
    require_range({0.0, flip}, 0.0, 1.0, "flip");
    require_range({0.0, blur}, 0.0, 1.0, "blur");
    require_range(sigma, 1e-3, 1e3, "sigma");
    require_range({1.0, height}, 1.0, 65535.0, "height");
    require_range({1.0, width}, 1.0, 65535.0, "width");
    require_writeable(params, "params");
    const DrawFields fields = draw_fields(params);
    require_dtype<std::int64_t>(image_ids, "image_ids");
    require_contiguous(image_ids, "image_ids");
    require_shape(image_ids, {params.shape(1)}, "image_ids");
    require_apart(params, image_ids, "params", "image_ids");
    if (first_view + fields.views > 0x10000u)
        throw py::value_error("first_view: view numbers below 65536 wanted, got " +
                              std::to_string(first_view + fields.views - 1));
    const ViewLaw law{CropLaw(scale.first, scale.second, ratio.first, ratio.second), flip, blur, sigma.first,
                      sigma.second};
    const auto* ids = static_cast<const std::int64_t*>(image_ids.data());
    {
        const py::gil_scoped_release release;
        draw_views(law, ids, seed, epoch, first_view, height, width, static_cast<unsigned>(threads), fields);
    }
}

// The side of the square views that `out` holds, after checking all of its shape.
std::int32_t checked_size(const py::array& out, const py::array& params, std::size_t channels) {
    require_dtype<float>(out, "out");
    require_rank(out, 5, "out");
    require_contiguous(out, "out");
    require_writeable(out, "out");
    const py::ssize_t size = out.shape(4);
    if (size < 1 || size > 65535)
        throw py::value_error("out: views of 1 to 65535 pixels wanted, got shape " + describe_shape(out));
    require_shape(out, {params.shape(0), params.shape(1), static_cast<py::ssize_t>(channels), size, size},
                  "out");
    return static_cast<std::int32_t>(size);
}

void apply(const py::array& images, const std::optional<py::array>& rows, const py::array& params,
           const py::array& out, int threads) {
    require_threads(threads);
    ViewedImages viewed{images_view<std::uint8_t>(images, "images"), nullptr};
    const DrawFields draws = draw_fields(params);
    const std::int32_t size = checked_size(out, params, viewed.images.channels);
    require_apart(out, images, "out", "images");
    require_apart(out, params, "out", "params");
    if (rows) {
        require_dtype<std::int64_t>(*rows, "rows");
        require_contiguous(*rows, "rows");
        require_shape(*rows, {params.shape(1)}, "rows");
        require_apart(out, *rows, "out", "rows");
        viewed.rows = static_cast<const std::int64_t*>(rows->data());
        for (std::size_t n = 0; n < draws.images; ++n)
            if (viewed.rows[n] < 0 || viewed.rows[n] >= images.shape(0))
                throw py::value_error("rows[" + std::to_string(n) + "]: 0 to " +
                                      std::to_string(images.shape(0) - 1) + " wanted, got " +
                                      std::to_string(viewed.rows[n]));
    } else if (draws.images != viewed.images.images) {
        throw py::value_error("params: shape (V, " + std::to_string(viewed.images.images) +
                              ") wanted, one column an image, got " + describe_shape(params));
    }
    auto* target = static_cast<float*>(const_cast<void*>(out.data()));
    {
        const py::gil_scoped_release release;
        check_draws(draws, viewed.images.height, viewed.images.width);
        apply_views(viewed, draws, size, static_cast<unsigned>(threads), target);
    }
}

void apply_pair(const py::array& views, const py::array& params, const py::array& out, float mean,
                float deviation, int threads) {
    require_threads(threads);
    if (!std::isfinite(mean) || !(deviation > 0.0f) || !std::isfinite(deviation))
        throw py::value_error("normalization: a finite mean and a deviation above 0 wanted, got " +
                              std::to_string(mean) + " and " + std::to_string(deviation));
    const ImagesView<const float> in = images_view<float>(views, "views");
    const DrawFields draws = draw_fields(params);
    const std::int32_t size = checked_size(out, params, in.channels);
    require_apart(out, views, "out", "views");
    require_apart(out, params, "out", "params");
    if (draws.images != in.images)
        throw py::value_error("params: shape (2, " + std::to_string(in.images) +
                              ") wanted, one column an image, got " + describe_shape(params));
    auto* target = static_cast<float*>(const_cast<void*>(out.data()));
    {
        const py::gil_scoped_release release;
        check_draws(draws, in.height, in.width);
        apply_pair_views(in, draws, size, {mean, deviation}, static_cast<unsigned>(threads), target);
    }
}

py::array_t<std::uint32_t> philox(const std::array<std::uint32_t, 4>& counter,
                                  const std::array<std::uint32_t, 2>& key) {
    const PhiloxCounter words = philox4x32(counter, key);
    return py::array_t<std::uint32_t>(static_cast<py::ssize_t>(words.size()), words.data());
}

} // namespace

void register_augment(py::module_& module) {
    module.def("philox4x32", &philox, py::arg("counter"), py::arg("key"),
               "The four words of Philox4x32-10 for one counter and key; what every draw is made of.");
    module.def(
        "draw_views", &draw, py::arg("params"), py::arg("image_ids"), py::kw_only(), py::arg("seed"),
        py::arg("epoch"), py::arg("first_view"), py::arg("height"), py::arg("width"), py::arg("scale"),
        py::arg("ratio"), py::arg("flip"), py::arg("blur"), py::arg("sigma"), py::arg("threads"),
        "Fill the structured array params (V, N) with the draws of views first_view .. first_view + V - 1 "
        "of the images image_ids (N,).");
    module.def(
        "apply_views", &apply, py::arg("images"), py::arg("rows").none(true), py::arg("params"),
        py::arg("out"), py::kw_only(), py::arg("threads"),
        "Fill out (V, N, C, S, S) with the views that params (V, N) describe, of images[rows] or images.");
    module.def(
        "apply_pair_views", &apply_pair, py::arg("views"), py::arg("params"), py::arg("out"), py::kw_only(),
        py::arg("mean"), py::arg("deviation"), py::arg("threads"),
        "Fill out (P, N, C, S, S) with further views of views (N, C, H, W), as params (P, N) describe.");
}

} // namespace morphobench
