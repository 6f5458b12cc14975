#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "distances/pairwise.hpp"

namespace morphobench {
namespace {

constexpr std::array<const char*, metric_count> metric_names{"euclidean", "cosine", "correlation",
                                                             "braycurtis"};

constexpr std::size_t most_tiles = 1 << 20; // of a sample: 16 million pairs, 64 MB a metric

std::size_t metric_index(const std::string& name) {
    for (std::size_t m = 0; m < metric_count; ++m)
        if (name == metric_names[m]) return m;
    refuse("metric", "be one of euclidean, cosine, correlation, braycurtis", name);
}

bool takes_product(std::size_t metric) { return metric != static_cast<std::size_t>(Metric::braycurtis); }

PairBlock checked_block(const CrossDistances& pairs, const std::array<std::size_t, 4>& range) {
    const PairBlock block{range[0], range[1], range[2], range[3]};
    if (block.row_begin > block.row_end || block.row_end > pairs.rows() ||
        block.column_begin > block.column_end || block.column_end > pairs.other_rows())
        refuse("block",
               "be (row_begin, row_end, column_begin, column_end) within " +
                   text_of({static_cast<py::ssize_t>(pairs.rows()),
                            static_cast<py::ssize_t>(pairs.other_rows())}),
               text_of(Shape(range.begin(), range.end())));
    return block;
}

Shape block_shape(const PairBlock& block) {
    return {static_cast<py::ssize_t>(block.row_end - block.row_begin),
            static_cast<py::ssize_t>(block.column_end - block.column_begin)};
}

const float* checked_product(const std::optional<py::array>& product, const CrossDistances& pairs,
                             const PairBlock& block, bool needed) {
    if (!needed) return nullptr;
    if (!product || pairs.standardized_a().rows == 0)
        refuse("product", "be the product of the standardized rows for this metric", "none");
    return input<float>(*product, block_shape(block), "product");
}

std::unique_ptr<CrossDistances> make_distances(const py::array& a, const py::array& b, bool needs_product,
                                               int threads) {
    require_threads(threads);
    const MatrixView<const float> rows = matrix_view<float>(a, "a");
    const MatrixView<const float> others = matrix_view<float>(b, "b");
    if (rows.rows == 0 || others.rows == 0 || rows.columns == 0 || rows.columns != others.columns)
        refuse("a and b", "have at least one row each and the same number of columns, at least one",
               "shapes " + text_of(shape_of(a)) + " and " + text_of(shape_of(b)));
    const py::gil_scoped_release release;
    return std::make_unique<CrossDistances>(rows, others, needs_product, static_cast<unsigned>(threads));
}

// A read-only array over memory that `owner` holds.
py::array borrowed(MatrixView<const float> view, const py::object& owner) {
    py::array_t<float> array({view.rows, view.columns}, view.data, owner);
    array.attr("flags").attr("writeable") = false;
    return array;
}

} // namespace

void register_distances(py::module_& module) {
    py::class_<MedianSearch>(module, "MedianSearch", "An exact median in passes over values never held.")
        .def(py::init([](std::size_t total, std::size_t capacity) {
                 if (total == 0) refuse("total", "be at least 1", "0");
                 return std::make_unique<MedianSearch>(total, capacity);
             }),
             py::arg("total"), py::arg("capacity"))
        .def("bracket", &MedianSearch::bracket, py::arg("low"), py::arg("high"),
             "Makes the first pass look between two values.")
        .def("finish_pass", &MedianSearch::finish_pass, "Ends a pass; true when the median is known.")
        .def_property_readonly("median", &MedianSearch::median)
        .def_property_readonly("passes", &MedianSearch::passes);

    py::class_<CrossDistances>(module, "CrossDistances",
                               "Distances between the rows of two float32 matrices, block by block.")
        .def(py::init(&make_distances), py::arg("a"), py::arg("b"), py::arg("needs_product"),
             py::arg("threads"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>())
        .def_property_readonly("standardized_a",
                               [](const py::object& self) {
                                   return borrowed(self.cast<const CrossDistances&>().standardized_a(), self);
                               })
        .def_property_readonly("standardized_b",
                               [](const py::object& self) {
                                   return borrowed(self.cast<const CrossDistances&>().standardized_b(), self);
                               })
        .def(
            "write",
            [](const CrossDistances& self, const std::array<std::size_t, 4>& range,
               const std::optional<py::array>& product, const std::string& metric, py::array out) {
                const std::size_t index = metric_index(metric);
                const PairBlock block = checked_block(self, range);
                const float* products = checked_product(product, self, block, takes_product(index));
                float* const target = output<float>(out, block_shape(block), "out");
                const py::gil_scoped_release release;
                self.write(block, products, static_cast<Metric>(index), target);
            },
            py::arg("block"), py::arg("product"), py::arg("metric"), py::arg("out"),
            "Writes the distances of block (row_begin, row_end, column_begin, column_end) to out.")
        .def(
            "search",
            [](const CrossDistances& self, const std::array<std::size_t, 4>& range,
               const std::optional<py::array>& product,
               const std::map<std::string, MedianSearch*>& searches) {
                std::array<MedianSearch*, metric_count> targets{};
                bool needed = false;
                for (const auto& [name, search] : searches) {
                    const std::size_t index = metric_index(name);
                    targets[index] = search;
                    needed = needed || takes_product(index);
                }
                const PairBlock block = checked_block(self, range);
                const float* products = checked_product(product, self, block, needed);
                const py::gil_scoped_release release;
                self.search(block, products, targets);
            },
            py::arg("block"), py::arg("product"), py::arg("searches"),
            "Adds the distances of a block to the search of each metric named.")
        .def(
            "sample",
            [](const CrossDistances& self, std::size_t tiles, const std::vector<std::string>& metrics) {
                if (tiles > most_tiles)
                    refuse("tiles", "be at most " + std::to_string(most_tiles), std::to_string(tiles));
                MetricFlags wanted{};
                for (const std::string& metric : metrics) {
                    const std::size_t index = metric_index(metric);
                    wanted[index] = true;
                    if (takes_product(index) && self.standardized_a().rows == 0)
                        throw py::value_error("metrics: " + metric + " needs needs_product=True");
                }
                std::array<std::vector<float>, metric_count> values;
                {
                    const py::gil_scoped_release release;
                    values = self.sample(tiles, wanted);
                }
                std::map<std::string, py::array_t<float>> arrays;
                for (std::size_t m = 0; m < metric_count; ++m)
                    if (wanted[m])
                        arrays.emplace(
                            metric_names[m],
                            py::array_t<float>(static_cast<py::ssize_t>(values[m].size()), values[m].data()));
                return arrays;
            },
            py::arg("tiles"), py::arg("metrics"), "Distances of 16 * tiles pairs of random rows, by metric.");
}

} // namespace morphobench
