#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

namespace morphobench {

// Memory that a thread reuses from one view to the next. It begins at a cache line: a load or store across
// two lines takes twice as long.
template <class T>
class Scratch {
    static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_default_constructible_v<T>);

public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { release(); }

    // Room for `count` elements; their values are lost when it grows.
    T* room(std::size_t count) {
        if (count > count_) {
            release();
            data_ = static_cast<T*>(::operator new(count * sizeof(T), line));
            count_ = count;
        }
        return data_;
    }

private:
    static constexpr std::align_val_t line{64};

    void release() {
        ::operator delete(data_, line);
        data_ = nullptr;
        count_ = 0;
    }

    T* data_ = nullptr;
    std::size_t count_ = 0;
};

} // namespace morphobench
