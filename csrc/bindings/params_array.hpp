#pragma once

#include "bindings/arrays.hpp"
#include "views/view_params.hpp"

namespace morphobench {

// The fields of the structured array params (V, N); TypeError for one that is absent or of another dtype.
DrawFields draw_fields(const py::array& params);

// ValueError unless brightness and contrast, where there are any, are of `channels` channels.
void require_jitter(const DrawFields& draws, std::size_t channels);

} // namespace morphobench
