#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cmath>
#include <string>

#include "bindings/arrays.hpp"
#include "umap/sgd.hpp"

namespace morphobench {
namespace {

void require_points(const std::int32_t* ends, py::ssize_t count, py::ssize_t points, const char* name) {
    for (py::ssize_t i = 0; i < count; ++i)
        if (ends[i] < 0 || ends[i] >= points)
            refuse(name, "hold points 0 to " + std::to_string(points - 1), std::to_string(ends[i]));
}

void descend(py::array points, const py::array& head, const py::array& tail, const py::array& strengths,
             int epochs, float a, float b, int negatives_per_edge, std::uint64_t seed) {
    require_rank(points, 2, "points");
    const MatrixView<float> view{output<float>(points, {points.shape(0), 2}, "points"),
                                 static_cast<std::size_t>(points.shape(0)), 2};
    require_rank(head, 1, "head");
    const py::ssize_t count = head.shape(0);
    const EdgesView edges{input<std::int32_t>(head, {count}, "head"),
                          input<std::int32_t>(tail, {count}, "tail"),
                          input<float>(strengths, {count}, "strengths"), static_cast<std::size_t>(count)};
    require_points(edges.head, count, points.shape(0), "head");
    require_points(edges.tail, count, points.shape(0), "tail");
    for (py::ssize_t i = 0; i < count; ++i)
        if (!(edges.strengths[i] > 0.0f) || !std::isfinite(edges.strengths[i]))
            refuse("strengths", "be finite and above 0", std::to_string(edges.strengths[i]));
    if (epochs < 0 || negatives_per_edge < 1)
        refuse("epochs and negatives_per_edge", "be at least 0 and 1",
               std::to_string(epochs) + " and " + std::to_string(negatives_per_edge));
    {
        const py::gil_scoped_release released;
        umap_sgd(view, edges, {epochs, a, b, negatives_per_edge, seed});
    }
}

} // namespace

void register_umap(py::module_& module) {
    module.def("umap_sgd", &descend, py::arg("points"), py::arg("head"), py::arg("tail"),
               py::arg("strengths"), py::kw_only(), py::arg("epochs"), py::arg("a"), py::arg("b"),
               py::arg("negatives_per_edge"), py::arg("seed"),
               "UMAP's stochastic gradient descent on float32 points (N, 2), in place, along the edges "
               "head[i] to tail[i] (int32) of float32 strengths. One thread, without the GIL; the same "
               "arguments give the same points.");
}

} // namespace morphobench
