#include <pybind11/pybind11.h>

namespace morphobench {
void register_views(pybind11::module_& module);
void register_build_info(pybind11::module_& module);
void register_distances(pybind11::module_& module);
void register_view_params(pybind11::module_& module);
void register_network(pybind11::module_& module);
void register_umap(pybind11::module_& module);
} // namespace morphobench

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled kernels of morphobench; use the Python modules that wrap them.";
    morphobench::register_views(module);
    morphobench::register_build_info(module);
    morphobench::register_distances(module);
    morphobench::register_view_params(module);
    morphobench::register_network(module);
    morphobench::register_umap(module);
}
