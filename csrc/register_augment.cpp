#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "multi_crop.hpp"
#include "pair_views.hpp"

namespace morphobench {

namespace {

using Range = std::pair<double, double>;

// numpy's bools as bytes, because a byte other than 0 and 1 is no C++ bool.
FieldView<std::uint8_t> flag_field(const py::array& params, const char* field, bool required) {
    const FieldView<bool> view = field_view<bool>(params, field, "params", required);
    return {view.data, view.row_stride, view.column_stride, view.length};
}

DrawFields draw_fields(const py::array& params) {
    constexpr const char* name = "params";
    return {field_view<std::int32_t>(params, "top", name),
            field_view<std::int32_t>(params, "left", name),
            field_view<std::int32_t>(params, "height", name),
            field_view<std::int32_t>(params, "width", name),
            flag_field(params, "flip", true),
            field_view<float>(params, "blur_sigma", name),
            static_cast<std::size_t>(params.shape(0)),
            static_cast<std::size_t>(params.shape(1)),
            flag_field(params, "flip_vertical", false),
            field_view<std::uint8_t>(params, "quarter_turns", name, false),
            field_view<float>(params, "noise_sigma", name, false),
            field_view<std::uint64_t>(params, "noise_key", name, false),
            field_view<float>(params, "brightness", name, false),
            field_view<float>(params, "contrast", name, false)};
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

void require_jitter(const DrawFields& draws, std::size_t channels) {
    if (bool(draws.brightness) != bool(draws.contrast))
        throw py::type_error("params: both 'brightness' and 'contrast' wanted, or neither");
    for (const auto& field : {draws.brightness, draws.contrast})
        if (field && field.length != channels)
            throw py::value_error("params: brightness and contrast of " + std::to_string(channels) +
                                  " channels wanted, got " + std::to_string(field.length));
}

void draw(const py::array& params, const py::array& image_ids, std::uint64_t seed, std::uint32_t epoch,
          std::uint16_t first_view, std::int32_t height, std::int32_t width, const Range& scale,
          const Range& ratio, double flip, double blur, const Range& sigma, double flip_vertical,
          bool quarter_turns, double noise, const Range& noise_sigma, double brightness, double contrast,
          int threads) {
    require_threads(threads);
    require_range(scale, 1e-9, 1.0, "scale");
    require_range(ratio, 1e-6, 1e6, "ratio");
    require_range({0.0, flip}, 0.0, 1.0, "flip");
    require_range({0.0, blur}, 0.0, 1.0, "blur");
    require_range(sigma, 1e-3, 1e3, "sigma");
    require_range({0.0, flip_vertical}, 0.0, 1.0, "flip_vertical");
    require_range({0.0, noise}, 0.0, 1.0, "noise");
    require_range(noise_sigma, 0.0, 1e3, "noise_sigma");
    require_range({0.0, brightness}, 0.0, 1e3, "brightness");
    require_range({0.0, contrast}, 0.0, 1e3, "contrast");
    require_range({1.0, height}, 1.0, 65535.0, "height");
    require_range({1.0, width}, 1.0, 65535.0, "width");
    require_writeable(params, "params");
    const DrawFields fields = draw_fields(params);
    require_jitter(fields, fields.brightness.length);
    require_dtype<std::int64_t>(image_ids, "image_ids");
    require_contiguous(image_ids, "image_ids");
    require_shape(image_ids, {params.shape(1)}, "image_ids");
    require_apart(params, image_ids, "params", "image_ids");
    if (first_view + fields.views > 0x10000u)
        throw py::value_error("first_view: view numbers below 65536 wanted, got " +
                              std::to_string(first_view + fields.views - 1));
    const ViewLaw law{CropLaw(scale.first, scale.second, ratio.first, ratio.second),
                      flip,
                      blur,
                      sigma.first,
                      sigma.second,
                      flip_vertical,
                      quarter_turns,
                      noise,
                      noise_sigma.first,
                      noise_sigma.second,
                      brightness,
                      contrast};
    const auto* ids = static_cast<const std::int64_t*>(image_ids.data());
    {
        const py::gil_scoped_release release;
        draw_views(law, ids, seed, epoch, first_view, height, width, static_cast<unsigned>(threads), fields);
    }
}

// The side of the square views that `out` holds, after checking all of its shape.
std::int32_t checked_size(const py::array& out, const py::array& params, std::size_t channels) {
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

// numpy has no bfloat16: its bits go into uint16.
PixelType pixel_type(const py::array& out) {
    const py::dtype dtype = out.dtype();
    if (py::dtype::of<float>().equal(dtype)) return PixelType::float32;
    if (py::dtype("float16").equal(dtype)) return PixelType::float16;
    if (py::dtype::of<std::uint16_t>().equal(dtype)) return PixelType::bfloat16;
    if (py::dtype::of<std::uint8_t>().equal(dtype)) return PixelType::uint8;
    throw py::type_error("out: dtype float32, float16, uint16 (the bits of bfloat16) or uint8 wanted, got " +
                         py::str(dtype).cast<std::string>());
}

const std::int64_t* checked_rows(const py::array& rows, const py::array& params, py::ssize_t images) {
    require_dtype<std::int64_t>(rows, "rows");
    require_contiguous(rows, "rows");
    require_shape(rows, {params.shape(1)}, "rows");
    const auto* data = static_cast<const std::int64_t*>(rows.data());
    for (py::ssize_t n = 0; n < rows.size(); ++n)
        if (data[n] < 0 || data[n] >= images)
            throw py::value_error("rows[" + std::to_string(n) + "]: 0 to " + std::to_string(images - 1) +
                                  " wanted, got " + std::to_string(data[n]));
    return data;
}

void require_normalization(const std::vector<float>& mean, const std::vector<float>& deviation,
                           std::size_t channels) {
    if (mean.empty() && deviation.empty()) return;
    if (mean.size() != channels || deviation.size() != channels)
        throw py::value_error("mean, deviation: one number for each of " + std::to_string(channels) +
                              " channels wanted, got " + std::to_string(mean.size()) + " and " +
                              std::to_string(deviation.size()));
    for (std::size_t c = 0; c < channels; ++c)
        if (!std::isfinite(mean[c]) || !std::isfinite(deviation[c]) || !(deviation[c] > 0.0f))
            throw py::value_error("mean, deviation: finite means and deviations above 0 wanted, got " +
                                  std::to_string(mean[c]) + " and " + std::to_string(deviation[c]));
}

template <class Pixel>
void apply_to(const py::array& images, const std::optional<py::array>& rows, const py::array& params,
              const py::array& out, std::vector<float> mean, std::vector<float> deviation, int threads) {
    ViewedImages<Pixel> viewed{images_view<Pixel>(images, "images"), nullptr};
    const DrawFields draws = draw_fields(params);
    const std::size_t channels = viewed.images.channels;
    require_jitter(draws, channels);
    require_normalization(mean, deviation, channels);
    ViewOutput output{const_cast<void*>(out.data()), pixel_type(out), checked_size(out, params, channels),
                      std::move(mean), std::move(deviation)};
    require_apart(out, images, "out", "images");
    require_apart(out, params, "out", "params");
    if (rows) {
        viewed.rows = checked_rows(*rows, params, images.shape(0));
        require_apart(out, *rows, "out", "rows");
    } else if (draws.images != viewed.images.images) {
        throw py::value_error("params: shape (V, " + std::to_string(viewed.images.images) +
                              ") wanted, one column an image, got " + describe_shape(params));
    }
    {
        const py::gil_scoped_release release;
        check_draws(draws, viewed.images.height, viewed.images.width);
        apply_views(viewed, draws, output, static_cast<unsigned>(threads));
    }
}

void apply(const py::array& images, const std::optional<py::array>& rows, const py::array& params,
           const py::array& out, std::vector<float> mean, std::vector<float> deviation, int threads) {
    require_threads(threads);
    if (py::dtype::of<std::uint16_t>().equal(images.dtype()))
        apply_to<std::uint16_t>(images, rows, params, out, std::move(mean), std::move(deviation), threads);
    else
        apply_to<std::uint8_t>(images, rows, params, out, std::move(mean), std::move(deviation), threads);
}

void apply_pair(const py::array& views, const py::array& params, const py::array& out, float mean,
                float deviation, int threads) {
    require_threads(threads);
    if (!std::isfinite(mean) || !(deviation > 0.0f) || !std::isfinite(deviation))
        throw py::value_error("normalization: a finite mean and a deviation above 0 wanted, got " +
                              std::to_string(mean) + " and " + std::to_string(deviation));
    const ImagesView<const float> in = images_view<float>(views, "views");
    const DrawFields draws = draw_fields(params);
    require_dtype<float>(out, "out");
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
        py::arg("ratio"), py::arg("flip"), py::arg("blur"), py::arg("sigma"), py::arg("flip_vertical"),
        py::arg("quarter_turns"), py::arg("noise"), py::arg("noise_sigma"), py::arg("brightness"),
        py::arg("contrast"), py::arg("threads"),
        "Fill the structured array params (V, N) with the draws of views first_view .. first_view + V - 1 "
        "of the images image_ids (N,).");
    module.def(
        "apply_views", &apply, py::arg("images"), py::arg("rows").none(true), py::arg("params"),
        py::arg("out"), py::kw_only(), py::arg("mean"), py::arg("deviation"), py::arg("threads"),
        "Fill out (V, N, C, S, S) with the views that params (V, N) describe, of images[rows] or images.");
    module.def(
        "apply_pair_views", &apply_pair, py::arg("views"), py::arg("params"), py::arg("out"), py::kw_only(),
        py::arg("mean"), py::arg("deviation"), py::arg("threads"),
        "Fill out (P, N, C, S, S) with further views of views (N, C, H, W), as params (P, N) describe.");
}

} // namespace morphobench
