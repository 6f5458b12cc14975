#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>

#include "core/thread_pool.hpp"

namespace morphobench {

// Calls body(begin, end) over [0, count) in chunks of at most `grain`, on up to `threads` threads including
// the caller. Chunks go to whichever thread is free, so the result of a body must not depend on its thread.
// After an exception no further chunk starts, and the first one is rethrown here once every thread has
// stopped.
template <class Body>
void parallel_for(std::size_t count, std::size_t grain, unsigned threads, Body&& body) {
    if (count == 0) return;
    if (grain == 0) grain = 1;
    const std::size_t chunks = (count + grain - 1) / grain;
    const std::size_t workers = threads < 1 ? 1 : (threads < chunks ? threads : chunks);
    if (workers == 1) {
        for (std::size_t begin = 0; begin < count; begin += grain)
            body(begin, begin + grain < count ? begin + grain : count);
        return;
    }
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto work = [&] {
        try {
            while (!failed.load(std::memory_order_relaxed)) {
                const std::size_t begin = next.fetch_add(1, std::memory_order_relaxed) * grain;
                if (begin >= count) break;
                body(begin, begin + grain < count ? begin + grain : count);
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(error_mutex);
            if (!error) error = std::current_exception();
            failed.store(true, std::memory_order_relaxed);
        }
    };
    run_in_pool(workers - 1, std::cref(work));
    if (error) std::rethrow_exception(error);
}

} // namespace morphobench
