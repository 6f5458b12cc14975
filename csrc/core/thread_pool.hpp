#pragma once

#include <cstddef>
#include <functional>

namespace morphobench {

// Runs `work`, which must not throw, on the caller and on up to `helpers` other threads at once; returns when
// all are through. The threads sleep until they are wanted again, because starting one costs as much as
// several views; one that has not begun when the caller is through is not waited for. Any number of callers
// may be here at once, inside `work` too, and a forked child gets threads of its own.
void run_with_crew(std::size_t helpers, const std::function<void()>& work);

} // namespace morphobench
