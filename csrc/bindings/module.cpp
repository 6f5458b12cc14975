#include <pybind11/pybind11.h>

namespace morphobench {
void register_augment(pybind11::module_& module);
void register_build_info(pybind11::module_& module);
void register_distance(pybind11::module_& module);
void register_draws(pybind11::module_& module);
void register_network(pybind11::module_& module);
void register_layout(pybind11::module_& module);
} // namespace morphobench

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled kernels of morphobench; use the Python modules that wrap them.";
    morphobench::register_augment(module);
    morphobench::register_build_info(module);
    morphobench::register_distance(module);
    morphobench::register_draws(module);
    morphobench::register_network(module);
    morphobench::register_layout(module);
}
