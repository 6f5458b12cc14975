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
        refuse(name, "satisfy " + std::to_string(least) + " <= low <= high <= " + std::to_string(most),
               "(" + std::to_string(range.first) + ", " + std::to_string(range.second) + ")");
}

void require_number(double number, double least, double most, const char* name) {
    if (!(number >= least && number <= most))
        refuse(name, "be from " + std::to_string(least) + " to " + std::to_string(most),
               std::to_string(number));
}

void add(ViewDistributions& distributions, std::size_t count, const Range& scale, const Range& ratio,
         double flip, double blur, const Range& sigma, double flip_vertical, bool quarter_turns, double noise,
         const Range& noise_sigma, double brightness, double contrast) {
    require_range(scale, 1e-9, 1.0, "scale");
    require_range(ratio, 1e-6, 1e6, "ratio");
    require_number(flip, 0.0, 1.0, "flip");
    require_number(blur, 0.0, 1.0, "blur");
    require_range(sigma, 1e-3, 1e3, "sigma");
    require_number(flip_vertical, 0.0, 1.0, "flip_vertical");
    require_number(noise, 0.0, 1.0, "noise");
    require_range(noise_sigma, 0.0, 1e3, "noise_sigma");
    require_number(brightness, 0.0, 1e3, "brightness");
    require_number(contrast, 0.0, 1e3, "contrast");
    if (count > most_views - distributions.views())
        refuse("count", "bring the views to at most " + std::to_string(most_views),
               std::to_string(distributions.views() + count));
    distributions.add(count, {CropSampler(scale.first, scale.second, ratio.first, ratio.second), flip, blur,
                              sigma.first, sigma.second, flip_vertical, quarter_turns, noise,
                              noise_sigma.first, noise_sigma.second, brightness, contrast});
}

void draw(const ViewDistributions& distributions, py::array params, const py::array& image_ids,
          std::uint64_t seed, std::uint32_t epoch, std::uint16_t first_view, std::int32_t height,
          std::int32_t width, int threads) {
    require_threads(threads);
    require_number(height, 1.0, 65535.0, "height");
    require_number(width, 1.0, 65535.0, "width");
    require_writeable(params, "params");
    const WritableViewParams fields = params_array(params);
    require_jitter(fields, fields.brightness.length);
    const auto* ids = input<std::int64_t>(image_ids, {params.shape(1)}, "image_ids");
    require_apart(params, image_ids, "params", "image_ids");
    if (fields.views != distributions.views())
        refuse("params", "have shape (" + std::to_string(distributions.views()) + ", N)",
               text_of(shape_of(params)));
    if (first_view + fields.views > most_views)
        refuse("first_view", "keep view numbers below " + std::to_string(most_views),
               std::to_string(first_view + fields.views - 1));
    {
        const py::gil_scoped_release release;
        draw_view_params(distributions, ids, seed, epoch, first_view, height, width,
                         static_cast<unsigned>(threads), fields);
    }
}

py::array_t<std::uint32_t> philox(const std::array<std::uint32_t, 4>& counter,
                                  const std::array<std::uint32_t, 2>& key) {
    const PhiloxCounter words = philox4x32(counter, key);
    return py::array_t<std::uint32_t>(static_cast<py::ssize_t>(words.size()), words.data());
}

} // namespace

void register_view_params(py::module_& module) {
    module.def("philox4x32", &philox, py::arg("counter"), py::arg("key"),
               "The four words of Philox4x32-10 for one counter and key; what every draw is made of.");
    py::class_<ViewDistributions>(module, "ViewDistributions",
                                  "The distributions that the views of an image are drawn from, in order.")
        .def(py::init<>())
        .def("add", &add, py::arg("count"), py::kw_only(), py::arg("scale"), py::arg("ratio"),
             py::arg("flip"), py::arg("blur"), py::arg("sigma"), py::arg("flip_vertical"),
             py::arg("quarter_turns"), py::arg("noise"), py::arg("noise_sigma"), py::arg("brightness"),
             py::arg("contrast"), "Let the next `count` views be drawn from this distribution.")
        .def("draw", &draw, py::arg("params"), py::arg("image_ids"), py::kw_only(), py::arg("seed"),
             py::arg("epoch"), py::arg("first_view"), py::arg("height"), py::arg("width"), py::arg("threads"),
             "Fill the structured array params (V, N) with the parameters of all V views of the images "
             "image_ids "
             "(N,), whose numbers are first_view .. first_view + V - 1.");
}

} // namespace morphobench
