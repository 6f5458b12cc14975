#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace morphobench {

// A borrowed C-contiguous matrix of `rows` x `columns`; kernels take these and never see numpy.
template <class T>
struct MatrixView {
    T* data;
    std::size_t rows;
    std::size_t columns;

    T* row(std::size_t index) const { return data + index * columns; }
};

// A borrowed image plane: contiguous rows, `stride` elements apart.
template <class T>
struct PlaneView {
    T* data;
    std::ptrdiff_t stride;
    std::int32_t height, width;

    operator PlaneView<const T>() const
        requires(!std::is_const_v<T>)
    {
        return {data, stride, height, width};
    }
    T* row(std::int32_t index) const { return data + index * stride; }
};

// Borrowed images (N, C, H, W) whose rows are contiguous; the strides count elements.
template <class T>
struct ImagesView {
    T* data;
    std::size_t images, channels;
    std::int32_t height, width;
    std::ptrdiff_t image_stride, channel_stride, row_stride;

    PlaneView<T> plane(std::size_t image, std::size_t channel) const {
        return {data + static_cast<std::ptrdiff_t>(image) * image_stride +
                    static_cast<std::ptrdiff_t>(channel) * channel_stride,
                row_stride, height, width};
    }
};

// One field of a borrowed (rows, columns) array of records, itself `length` numbers long; records may lie
// unaligned and at any stride. Without data, the array has no such field.
template <class T>
struct FieldView {
    using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
    Byte* data = nullptr;
    std::ptrdiff_t row_stride = 0, column_stride = 0;
    std::size_t length = 1;

    explicit operator bool() const { return data != nullptr; }
    std::remove_const_t<T> get(std::size_t row, std::size_t column, std::size_t item = 0) const {
        std::remove_const_t<T> value;
        std::memcpy(&value, at(row, column, item), sizeof value);
        return value;
    }
    void set(std::size_t row, std::size_t column, T value, std::size_t item = 0) const {
        std::memcpy(at(row, column, item), &value, sizeof value);
    }

private:
    Byte* at(std::size_t row, std::size_t column, std::size_t item) const {
        return data + static_cast<std::ptrdiff_t>(row) * row_stride +
               static_cast<std::ptrdiff_t>(column) * column_stride +
               static_cast<std::ptrdiff_t>(item * sizeof(T));
    }
};

} // namespace morphobench
