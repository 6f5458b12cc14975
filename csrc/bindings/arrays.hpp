#pragma once

// The only place where numpy arrays are checked. Nothing is converted or copied silently: a wrong dtype is a
// TypeError, a wrong shape or layout a ValueError; both name the argument, what was wanted and what was got.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/array_view.hpp"

namespace morphobench {

namespace py = pybind11;

inline std::string describe_shape(const py::array& array) {
    std::string text = "(";
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
        if (axis) text += ", ";
        text += std::to_string(array.shape(axis));
    }
    return text + (array.ndim() == 1 ? ",)" : ")");
}

inline void require_threads(int threads) {
    if (threads < 1) throw py::value_error("threads: at least 1 wanted, got " + std::to_string(threads));
}

template <class T>
void require_dtype(const py::array& array, const char* name) {
    if (!array.dtype().is(py::dtype::of<T>()) && !py::dtype::of<T>().equal(array.dtype()))
        throw py::type_error(std::string(name) + ": dtype " +
                             py::str(py::dtype::of<T>()).cast<std::string>() + " wanted, got " +
                             py::str(array.dtype()).cast<std::string>());
}

inline void require_rank(const py::array& array, py::ssize_t rank, const char* name) {
    if (array.ndim() != rank)
        throw py::value_error(std::string(name) + ": " + std::to_string(rank) + " axes wanted, got shape " +
                              describe_shape(array));
}

inline void require_contiguous(const py::array& array, const char* name) {
    if (!(array.flags() & py::array::c_style))
        throw py::value_error(
            std::string(name) +
            ": a C-contiguous array wanted, got one with other strides (numpy.ascontiguousarray "
            "makes one)");
}

inline void require_writeable(const py::array& array, const char* name) {
    if (!array.writeable())
        throw py::value_error(std::string(name) + ": a writeable array wanted, got a read-only one");
}

// The first byte of an array, and the one after its last.
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
                          const char* name) {
    const auto [begin, end] = bounds(out);
    const auto [other_begin, other_end] = bounds(other);
    if (begin < other_end && other_begin < end)
        throw py::value_error(std::string(out_name) + ": memory apart from that of " + name +
                              " wanted, got overlapping arrays");
}

inline void require_shape(const py::array& array, const std::vector<py::ssize_t>& shape, const char* name) {
    bool equal = array.ndim() == static_cast<py::ssize_t>(shape.size());
    for (py::ssize_t axis = 0; equal && axis < array.ndim(); ++axis)
        equal = array.shape(axis) == shape[static_cast<std::size_t>(axis)];
    if (equal) return;
    std::string wanted;
    for (const py::ssize_t length : shape)
        wanted += (wanted.empty() ? "" : ", ") + std::to_string(length);
    throw py::value_error(std::string(name) + ": shape (" + wanted + ") wanted, got " +
                          describe_shape(array));
}

// A read-only view of images (N, H, W) or (N, C, H, W), at any strides as long as each row is contiguous.
template <class T>
ImagesView<const T> images_view(const py::array& array, const char* name) {
    require_dtype<T>(array, name);
    if (array.ndim() != 3 && array.ndim() != 4)
        throw py::value_error(std::string(name) + ": shape (N, H, W) or (N, C, H, W) wanted, got " +
                              describe_shape(array));
    constexpr auto item = static_cast<py::ssize_t>(sizeof(T));
    constexpr py::ssize_t longest = 65535;
    const py::ssize_t last = array.ndim() - 1;
    const py::ssize_t height = array.shape(last - 1), width = array.shape(last);
    if (height < 1 || width < 1 || height > longest || width > longest)
        throw py::value_error(std::string(name) + ": sides of 1 to " + std::to_string(longest) +
                              " pixels wanted, got shape " + describe_shape(array));
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
        if (array.size() > 0 && array.shape(axis) > 1 &&
            (array.strides(axis) % item != 0 || (axis == last && array.strides(axis) != item)))
            throw py::value_error(std::string(name) +
                                  ": contiguous rows wanted, got an array with other strides "
                                  "(numpy.ascontiguousarray makes one)");
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

    // The field of a (rows, columns) array of that dtype, at any strides.
    FieldView<T> in(const py::array& array) const {
        if (length == 0) return {};
        char* data = const_cast<char*>(static_cast<const char*>(array.data()));
        return {data + offset, array.strides(0), array.strides(1), length};
    }
};

// A field by name; any layout of the records will do. Of no length if there is no such field and it is not
// `required`.
template <class T>
FieldPlace<T> field_place(const py::dtype& records, const char* field, const char* name,
                          bool required = true) {
    const py::object fields = records.attr("fields");
    if (!required && (fields.is_none() || !fields.contains(field))) return {};
    if (fields.is_none() || !fields.contains(field))
        throw py::type_error(std::string(name) + ": a structured array with a field '" + field +
                             "' wanted, got dtype " + py::str(records).cast<std::string>());
    const py::object entry = fields[field];
    const auto whole = entry[py::int_(0)].cast<py::dtype>();
    const auto dtype = whole.attr("base").cast<py::dtype>();
    if (!py::dtype::of<T>().equal(dtype))
        throw py::type_error(std::string(name) + "['" + field + "']: dtype " +
                             py::str(py::dtype::of<T>()).cast<std::string>() + " wanted, got " +
                             py::str(dtype).cast<std::string>());
    return {entry[py::int_(1)].cast<py::ssize_t>(),
            static_cast<std::size_t>(whole.itemsize() / dtype.itemsize())};
}

// A read-only view of a C-contiguous (rows, columns) array of T.
template <class T>
MatrixView<const T> matrix_view(const py::array& array, const char* name) {
    require_dtype<T>(array, name);
    require_rank(array, 2, name);
    require_contiguous(array, name);
    return {static_cast<const T*>(array.data()), static_cast<std::size_t>(array.shape(0)),
            static_cast<std::size_t>(array.shape(1))};
}

} // namespace morphobench
