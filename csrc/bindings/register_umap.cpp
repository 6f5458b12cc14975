#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "bindings/arrays.hpp"
#include "umap/sgd.hpp"

namespace morphobench {
namespace {

template <class T>
const T* checked_edges(const py::array& array, py::ssize_t count, const char* name) {
    require_dtype<T>(array, name);
    require_shape(array, {count}, name);
    require_contiguous(array, name);
    return static_cast<const T*>(array.data());
}

void require_points(const std::int32_t* ends, py::ssize_t count, py::ssize_t points, const char* name) {
    for (py::ssize_t i = 0; i < count; ++i)
        if (ends[i] < 0 || ends[i] >= points)
            throw py::value_error(std::string(name) + ": points 0 to " + std::to_string(points - 1) +
                                  " wanted, got " + std::to_string(ends[i]));
}

void descend(const py::array& points, const py::array& head, const py::array& tail,
             const py::array& strengths, int epochs, float a, float b, int negatives_per_edge,
             std::uint64_t seed) {
    require_dtype<float>(points, "points");
    require_rank(points, 2, "points");
    require_shape(points, {points.shape(0), 2}, "points");
    require_contiguous(points, "points");
    require_writeable(points, "points");
    require_rank(head, 1, "head");
    const py::ssize_t count = head.shape(0);
    const EdgesView edges{
        checked_edges<std::int32_t>(head, count, "head"), checked_edges<std::int32_t>(tail, count, "tail"),
        checked_edges<float>(strengths, count, "strengths"), static_cast<std::size_t>(count)};
    require_points(edges.head, count, points.shape(0), "head");
    require_points(edges.tail, count, points.shape(0), "tail");
    for (py::ssize_t i = 0; i < count; ++i)
        if (!(edges.strengths[i] > 0.0f))
            throw py::value_error("strengths: numbers above 0 wanted, got " +
                                  std::to_string(edges.strengths[i]));
    if (epochs < 0 || negatives_per_edge < 1)
        throw py::value_error("epochs and negatives_per_edge: at least 0 and 1 wanted, got " +
                              std::to_string(epochs) + " and " + std::to_string(negatives_per_edge));
    const MatrixView<float> view{static_cast<float*>(points.request().ptr),
                                 static_cast<std::size_t>(points.shape(0)), 2};
    {
        const py::gil_scoped_release released;
        descend_layout(view, edges, {epochs, a, b, negatives_per_edge, seed});
    }
}

} // namespace

void register_layout(py::module_& module) {
    module.def("descend_layout", &descend, py::arg("points"), py::arg("head"), py::arg("tail"),
               py::arg("strengths"), py::kw_only(), py::arg("epochs"), py::arg("a"), py::arg("b"),
               py::arg("negatives_per_edge"), py::arg("seed"),
               "UMAP's stochastic gradient descent on float32 points (N, 2), in place, along the edges "
               "head[i] to tail[i] (int32) of float32 strengths. One thread, without the GIL; the same "
               "arguments give the same points.");
}

} // namespace morphobench
