#pragma once

#include "bindings/arrays.hpp"
#include "views/view_params.hpp"

namespace morphobench {

// The fields of the structured array params (V, N); TypeError for one that is absent or of another dtype.
ViewParamsArray params_array(const py::array& params);
WritableViewParams params_array(py::array& params);

// ValueError unless brightness and contrast, where there are any, are of `channels` channels.
template <class Fields>
void require_jitter(const Fields& params, std::size_t channels) {
    if (bool(params.brightness) != bool(params.contrast))
        throw py::type_error("params must have both 'brightness' and 'contrast' or neither, got one");
    for (const std::size_t length : {params.brightness.length, params.contrast.length})
        if (params.brightness && length != channels)
            refuse("params", "hold the brightness and contrast of " + std::to_string(channels) + " channels",
                   std::to_string(length));
}

} // namespace morphobench
