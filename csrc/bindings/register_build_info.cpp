#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "dispatch/dispatch.hpp"
#include "views/kernels/kernels.hpp"

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
            const char* const level = name_of(simd_level());
            info["simd"] = level;
            py::dict kernels;
            kernels["views"] = view_kernels().level;
            for (const char* family : {"pixels", "draws", "distances", "network"})
                kernels[family] = level;
            info["simd_kernels"] = kernels;
            info["simd_levels"] = py::tuple(py::cast(simd_levels()));
            return info;
        },
        "How the extension was built (compiler, C++ standard, pybind11 version), the SIMD level in use, the "
        "level of "
        "each family of kernels, and the levels this machine can run, best first.");
    module.def("use_simd", &use_simd, py::arg("level"),
               "Switch to one of build_info()['simd_levels']; the results stay the same. ValueError for "
               "another name. The environment variable MORPHOBENCH_SIMD chooses at import.");
}

} // namespace morphobench
