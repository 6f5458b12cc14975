#pragma once

#include <cstddef>
#include <functional>

namespace morphobench {

// Runs `work`, which must not throw, on the caller and on up to `helpers` pool threads at once; returns when
// all have finished. The threads sleep between calls, because starting one costs as much as several views. A
// helper that has not begun when the caller is done is not waited for. Calls may overlap and nest, and a
// forked child gets threads of its own.
void run_in_pool(std::size_t helpers, const std::function<void()>& work);

} // namespace morphobench
