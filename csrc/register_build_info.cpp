#include <pybind11/pybind11.h>

#include <string>

namespace py = pybind11;

namespace morphobench {

void register_build_info(py::module_& module) {
    module.def(
        "build_info",
        [] {
            py::dict info;
#if defined(__clang__)
            info["compiler"] = std::string("clang ") + __clang_version__;
#else
            info["compiler"] = std::string("gcc ") + __VERSION__;
#endif
            info["cxx_standard"] = static_cast<long>(__cplusplus);
            info["pybind11"] = PYBIND11_TOSTRING(PYBIND11_VERSION_MAJOR) "." PYBIND11_TOSTRING(
                PYBIND11_VERSION_MINOR) "." PYBIND11_TOSTRING(PYBIND11_VERSION_MICRO);
            return info;
        },
        "How the extension was built: compiler, C++ standard, pybind11 version.");
}

} // namespace morphobench
