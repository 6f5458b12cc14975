#include "bindings/params_array.hpp"

#include <string>
#include <unordered_map>

namespace morphobench {

namespace {

// Where the fields lie.
struct Layout {
    py::dtype dtype; // kept, so that no other comes to lie at its address
    FieldPlace<std::int32_t> top, left, height, width;
    FieldPlace<bool> flip;
    FieldPlace<float> blur_sigma;
    FieldPlace<bool> flip_vertical;
    FieldPlace<std::uint8_t> quarter_turns;
    FieldPlace<float> noise_sigma;
    FieldPlace<std::uint64_t> noise_key;
    FieldPlace<float> brightness, contrast;
};

Layout look_up(const py::dtype& dtype) {
    constexpr const char* name = "params";
    return {dtype,
            field_place<std::int32_t>(dtype, "top", name),
            field_place<std::int32_t>(dtype, "left", name),
            field_place<std::int32_t>(dtype, "height", name),
            field_place<std::int32_t>(dtype, "width", name),
            field_place<bool>(dtype, "flip", name),
            field_place<float>(dtype, "blur_sigma", name),
            field_place<bool>(dtype, "flip_vertical", name, false),
            field_place<std::uint8_t>(dtype, "quarter_turns", name, false),
            field_place<float>(dtype, "noise_sigma", name, false),
            field_place<std::uint64_t>(dtype, "noise_key", name, false),
            field_place<float>(dtype, "brightness", name, false),
            field_place<float>(dtype, "contrast", name, false)};
}

// Looking twelve fields up by name takes as long as making ten views, so the last answers are kept. The
// interpreter's lock guards them.
const Layout& layout_of(const py::dtype& dtype) {
    constexpr std::size_t most_kept = 16;
    // Never destroyed: at the end of the program the interpreter is gone before.
    static auto& kept = *new std::unordered_map<PyObject*, Layout>;
    const auto found = kept.find(dtype.ptr());
    if (found != kept.end()) return found->second;
    Layout layout = look_up(dtype);
    if (kept.size() >= most_kept) kept.clear();
    return kept.emplace(dtype.ptr(), std::move(layout)).first->second;
}

// numpy's bools as bytes, because a byte other than 0 and 1 is no C++ bool.
template <class Bool>
auto flags(const FieldView<Bool>& view) {
    using Byte = std::conditional_t<std::is_const_v<Bool>, const std::uint8_t, std::uint8_t>;
    return FieldView<Byte>{view.data, view.row_stride, view.column_stride, view.length};
}

template <template <class> class Access, class Array>
ViewParamsFields<Access> fields_of(Array& params) {
    require_rank(params, 2, "params");
    const py::dtype dtype = params.dtype();
    const Layout& at = layout_of(dtype);
    return {at.top.in(params),
            at.left.in(params),
            at.height.in(params),
            at.width.in(params),
            flags(at.flip.in(params)),
            at.blur_sigma.in(params),
            static_cast<std::size_t>(params.shape(0)),
            static_cast<std::size_t>(params.shape(1)),
            flags(at.flip_vertical.in(params)),
            at.quarter_turns.in(params),
            at.noise_sigma.in(params),
            at.noise_key.in(params),
            at.brightness.in(params),
            at.contrast.in(params)};
}

} // namespace

ViewParamsArray params_array(const py::array& params) { return fields_of<ReadOnly>(params); }
WritableViewParams params_array(py::array& params) { return fields_of<Writable>(params); }

} // namespace morphobench
