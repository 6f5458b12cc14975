#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/params_array.hpp"

namespace morphobench {

namespace {

using Range = std::pair<double, double>;

void require_range(const Range& range, double least, double most, const char* name) {
    if (!(range.first >= least && range.first <= range.second && range.second <= most))
        throw py::value_error(std::string(name) + ": " + std::to_string(least) +
                              " <= low <= high <= " + std::to_string(most) + " wanted, got (" +
                              std::to_string(range.first) + ", " + std::to_string(range.second) + ")");
}

void add(ViewLaws& laws, std::size_t count, const Range& scale, const Range& ratio, double flip, double blur,
         const Range& sigma, double flip_vertical, bool quarter_turns, double noise, const Range& noise_sigma,
         double brightness, double contrast) {
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
    if (count > most_views - laws.views())
        throw py::value_error("count: at most " + std::to_string(most_views) + " views in all wanted, got " +
                              std::to_string(laws.views() + count));
    laws.add(count, {CropLaw(scale.first, scale.second, ratio.first, ratio.second), flip, blur, sigma.first,
                     sigma.second, flip_vertical, quarter_turns, noise, noise_sigma.first, noise_sigma.second,
                     brightness, contrast});
}

void draw(const ViewLaws& laws, const py::array& params, const py::array& image_ids, std::uint64_t seed,
          std::uint32_t epoch, std::uint16_t first_view, std::int32_t height, std::int32_t width,
          int threads) {
    require_threads(threads);
    require_range({1.0, height}, 1.0, 65535.0, "height");
    require_range({1.0, width}, 1.0, 65535.0, "width");
    require_writeable(params, "params");
    const DrawFields fields = draw_fields(params);
    require_jitter(fields, fields.brightness.length);
    require_dtype<std::int64_t>(image_ids, "image_ids");
    require_contiguous(image_ids, "image_ids");
    require_shape(image_ids, {params.shape(1)}, "image_ids");
    require_apart(params, image_ids, "params", "image_ids");
    if (fields.views != laws.views())
        throw py::value_error("params: shape (" + std::to_string(laws.views()) + ", N) wanted, got " +
                              describe_shape(params));
    if (first_view + fields.views > most_views)
        throw py::value_error("first_view: view numbers below " + std::to_string(most_views) +
                              " wanted, got " + std::to_string(first_view + fields.views - 1));
    const auto* ids = static_cast<const std::int64_t*>(image_ids.data());
    {
        const py::gil_scoped_release release;
        draw_views(laws, ids, seed, epoch, first_view, height, width, static_cast<unsigned>(threads), fields);
    }
}

py::array_t<std::uint32_t> philox(const std::array<std::uint32_t, 4>& counter,
                                  const std::array<std::uint32_t, 2>& key) {
    const PhiloxCounter words = philox4x32(counter, key);
    return py::array_t<std::uint32_t>(static_cast<py::ssize_t>(words.size()), words.data());
}

} // namespace

void register_draws(py::module_& module) {
    module.def("philox4x32", &philox, py::arg("counter"), py::arg("key"),
               "The four words of Philox4x32-10 for one counter and key; what every draw is made of.");
    py::class_<ViewLaws>(module, "ViewLaws", "The laws that the views of an image are drawn by, in order.")
        .def(py::init<>())
        .def("add", &add, py::arg("count"), py::kw_only(), py::arg("scale"), py::arg("ratio"),
             py::arg("flip"), py::arg("blur"), py::arg("sigma"), py::arg("flip_vertical"),
             py::arg("quarter_turns"), py::arg("noise"), py::arg("noise_sigma"), py::arg("brightness"),
             py::arg("contrast"), "Let the next `count` views be drawn by this law.")
        .def("draw", &draw, py::arg("params"), py::arg("image_ids"), py::kw_only(), py::arg("seed"),
             py::arg("epoch"), py::arg("first_view"), py::arg("height"), py::arg("width"), py::arg("threads"),
             "Fill the structured array params (V, N) with the draws of all V views of the images image_ids "
             "(N,), whose numbers are first_view .. first_view + V - 1.");
}

} // namespace morphobench
