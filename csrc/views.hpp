#pragma once

#include <cstddef>

namespace morphobench {

// A borrowed C-contiguous matrix of `rows` x `columns`; kernels take these and never see numpy.
template <class T>
struct MatrixView {
    T* data;
    std::size_t rows;
    std::size_t columns;

    T* row(std::size_t index) const { return data + index * columns; }
};

} // namespace morphobench
