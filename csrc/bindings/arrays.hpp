#pragma once

// The only place where numpy arrays are checked. Nothing is converted or copied silently: a wrong dtype is a
// TypeError, a wrong shape, layout or alignment a ValueError; both name the argument, what it must be and
// what it is.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/array_view.hpp"

namespace morphobench {

namespace py = pybind11;

using Shape = std::vector<py::ssize_t>;

inline Shape shape_of(const py::array& array) { return Shape(array.shape(), array.shape() + array.ndim()); }

inline std::string text_of(const Shape& shape) {
    std::string text;
    for (const py::ssize_t length : shape)
        text += (text.empty() ? "" : ", ") + std::to_string(length);
    return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

inline std::string text_of(const py::dtype& dtype) { return py::str(dtype).cast<std::string>(); }

[[noreturn]] inline void refuse(const std::string& name, const std::string& must_be, const std::string& got) {
    throw py::value_error(name + " must " + must_be + ", got " + got);
}

inline void require_threads(int threads) {
    if (threads < 1) refuse("threads", "be at least 1", std::to_string(threads));
}

template <class T>
void require_dtype(const py::array& array, const std::string& name) {
    if (!py::dtype::of<T>().equal(array.dtype()))
        throw py::type_error(name + " must have dtype " + text_of(py::dtype::of<T>()) + ", got " +
                             text_of(array.dtype()));
}

inline void require_rank(const py::array& array, py::ssize_t rank, const char* name) {
    if (array.ndim() != rank)
        refuse(name, "have " + std::to_string(rank) + " axes", "shape " + text_of(shape_of(array)));
}

inline void require_shape(const py::array& array, const Shape& shape, const char* name) {
    if (shape_of(array) != shape) refuse(name, "have shape " + text_of(shape), text_of(shape_of(array)));
}

// Typed loads and stores ask for it; a view into a buffer may lie anywhere.
inline void require_aligned(const py::array& array, std::size_t alignment, const char* name) {
    if (reinterpret_cast<std::uintptr_t>(array.data()) % alignment)
        refuse(name, "be aligned to " + std::to_string(alignment) + " bytes",
               "an array at another address (numpy.copy makes an aligned one)");
}

inline void require_contiguous(const py::array& array, const char* name) {
    if (!(array.flags() & py::array::c_style))
        refuse(name, "be C-contiguous", "an array with other strides (numpy.ascontiguousarray makes one)");
}

inline void require_writeable(const py::array& array, const char* name) {
    if (!array.writeable()) refuse(name, "be writeable", "a read-only array");
}

// The memory of a C-contiguous array of T of that shape, to read or to write.
template <class T>
const T* input(const py::array& array, const Shape& shape, const char* name) {
    require_dtype<T>(array, name);
    require_shape(array, shape, name);
    require_contiguous(array, name);
    require_aligned(array, alignof(T), name);
    return static_cast<const T*>(array.data());
}

template <class T>
T* output(py::array& array, const Shape& shape, const char* name) {
    input<T>(array, shape, name);
    require_writeable(array, name);
    return static_cast<T*>(array.mutable_data());
}

// The address of the first byte of an array, and the one after its last.
inline std::pair<std::uintptr_t, std::uintptr_t> bounds(const py::array& array) {
    auto begin = reinterpret_cast<std::uintptr_t>(array.data()), end = begin;
    if (array.size() == 0) return {begin, end};
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
        const py::ssize_t reach = array.strides(axis) * (array.shape(axis) - 1);
        (reach < 0 ? begin : end) += static_cast<std::uintptr_t>(reach);
    }
    return {begin, end + static_cast<std::uintptr_t>(array.itemsize())};
}

// Bounds only, so that interleaved arrays count as overlapping too; exact overlap is expensive to decide.
inline void require_apart(const py::array& out, const py::array& other, const char* out_name,
                          const std::string& name) {
    const auto [begin, end] = bounds(out);
    const auto [other_begin, other_end] = bounds(other);
    if (begin < other_end && other_begin < end)
        refuse(out_name, "not share memory with " + name, "overlapping arrays");
}

// A read-only view of images (N, H, W) or (N, C, H, W), at any strides as long as each row is contiguous.
template <class T>
ImagesView<const T> images_view(const py::array& array, const char* name) {
    require_dtype<T>(array, name);
    require_aligned(array, alignof(T), name);
    if (array.ndim() != 3 && array.ndim() != 4)
        refuse(name, "have shape (N, H, W) or (N, C, H, W)", text_of(shape_of(array)));
    constexpr auto item = static_cast<py::ssize_t>(sizeof(T));
    constexpr py::ssize_t longest = 65535;
    const py::ssize_t last = array.ndim() - 1;
    const py::ssize_t height = array.shape(last - 1), width = array.shape(last);
    if (height < 1 || width < 1 || height > longest || width > longest)
        refuse(name, "have sides of 1 to " + std::to_string(longest) + " pixels",
               "shape " + text_of(shape_of(array)));
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
        if (array.size() > 0 && array.shape(axis) > 1 &&
            (array.strides(axis) % item != 0 || (axis == last && array.strides(axis) != item)))
            refuse(name, "have contiguous rows",
                   "an array with other strides (numpy.ascontiguousarray makes one)");
    return {static_cast<const T*>(array.data()),
            static_cast<std::size_t>(array.shape(0)),
            last == 3 ? static_cast<std::size_t>(array.shape(1)) : 1,
            static_cast<std::int32_t>(height),
            static_cast<std::int32_t>(width),
            array.strides(0) / item,
            last == 3 ? array.strides(1) / item : 0,
            array.strides(last - 1) / item};
}

// Where a field lies in the records of a structured dtype; of no length where there is no such field.
template <class T>
struct FieldPlace {
    std::ptrdiff_t offset = 0;
    std::size_t length = 0;

    // The field of a (rows, columns) array of that dtype, at any strides, to read or to write.
    FieldView<const T> in(const py::array& array) const {
        return at(static_cast<const char*>(array.data()), array);
    }
    FieldView<T> in(py::array& array) const { return at(static_cast<char*>(array.mutable_data()), array); }

private:
    template <class Byte>
    FieldView<std::conditional_t<std::is_const_v<Byte>, const T, T>> at(Byte* data,
                                                                        const py::array& array) const {
        if (length == 0) return {};
        return {data + offset, array.strides(0), array.strides(1), length};
    }
};

// A field by name; any layout of the records will do. Of no length if there is no such field and it is not
// `required`.
template <class T>
FieldPlace<T> field_place(const py::dtype& records, const char* field, const std::string& name,
                          bool required = true) {
    const py::object fields = records.attr("fields");
    if (fields.is_none() || !fields.contains(field)) {
        if (!required) return {};
        throw py::type_error(name + " must be a structured array with a field '" + field + "', got dtype " +
                             text_of(records));
    }
    const py::object entry = fields[field];
    const auto whole = entry[py::int_(0)].cast<py::dtype>();
    const auto dtype = whole.attr("base").cast<py::dtype>();
    if (!py::dtype::of<T>().equal(dtype))
        throw py::type_error(name + "['" + field + "'] must have dtype " + text_of(py::dtype::of<T>()) +
                             ", got " + text_of(dtype));
    return {entry[py::int_(1)].cast<py::ssize_t>(),
            static_cast<std::size_t>(whole.itemsize() / dtype.itemsize())};
}

// A read-only view of a C-contiguous (rows, columns) array of T.
template <class T>
MatrixView<const T> matrix_view(const py::array& array, const char* name) {
    require_rank(array, 2, name);
    return {input<T>(array, shape_of(array), name), static_cast<std::size_t>(array.shape(0)),
            static_cast<std::size_t>(array.shape(1))};
}

} // namespace morphobench
