#pragma once

// The only place where numpy arrays are checked. Nothing is converted or copied silently: a wrong dtype is a
// TypeError, a wrong shape or layout a ValueError; both name the argument, what was wanted and what was got.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "views.hpp"

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
