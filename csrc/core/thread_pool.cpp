#include "core/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define MORPHOBENCH_POSIX 1
#include <pthread.h>
#include <signal.h>
#else
#define MORPHOBENCH_POSIX 0
#endif

namespace morphobench {

namespace {

struct Job {
    Job(const std::function<void()>& what, std::size_t helpers) : work(&what), wanted(helpers) {}
    const std::function<void()>* work;
    std::size_t wanted;
    std::atomic<std::size_t> running{0};
};

// Waits a moment for `ready` without going to sleep: being woken takes longer than many views, and calls tend
// to follow each other. Gives the core away to whoever else wants it.
template <class Ready>
void spin_until(Ready&& ready) {
    using Clock = std::chrono::steady_clock;
    for (const auto end = Clock::now() + std::chrono::microseconds(150); !ready() && Clock::now() < end;)
        std::this_thread::yield();
}

// Signals are for the program's own threads: a helper, made while this lives, gets none.
class SignalsBlocked {
#if MORPHOBENCH_POSIX
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_;
#endif
};

class ThreadPool {
public:
    void run(std::size_t helpers, const std::function<void()>& work) {
        Job job(work, helpers);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            start_threads(helpers);
            jobs_.push_back(&job);
            open_.store(jobs_.size());
        }
        if (helpers == 1)
            wanted_.notify_one();
        else
            wanted_.notify_all();
        work();
        const auto through = [&] { return job.running.load() == 0; };
        std::unique_lock<std::mutex> lock(mutex_);
        jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), &job), jobs_.end());
        open_.store(jobs_.size());
        lock.unlock();
        spin_until(through);
        lock.lock();
        through_.wait(lock, through);
    }

private:
    void start_threads(std::size_t helpers) {
        const SignalsBlocked blocked;
        try {
            for (; helpers_ < helpers; ++helpers_)
                std::thread([this] { serve(); }).detach();
        } catch (const std::system_error&) {
            // The system has no more threads to give: those there are, and the callers, do the work.
        }
    }

    [[noreturn]] void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            lock.unlock();
            spin_until([&] { return open_.load() > 0; });
            lock.lock();
            wanted_.wait(lock, [&] { return !jobs_.empty(); });
            Job& job = *jobs_.front();
            if (--job.wanted == 0) jobs_.erase(jobs_.begin());
            open_.store(jobs_.size());
            ++job.running;
            lock.unlock();
            (*job.work)();
            lock.lock();
            if (--job.running == 0) through_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable wanted_, through_;
    std::vector<Job*> jobs_;           // those that want more helpers
    std::atomic<std::size_t> open_{0}; // how many, for those who do not hold the mutex
    std::size_t helpers_ = 0;
};

// Never destroyed: its threads wait on it until the process ends.
ThreadPool*& pool() {
    static ThreadPool* one = [] {
#if MORPHOBENCH_POSIX
        // Threads do not survive a fork, and one may have held the mutex.
        pthread_atfork(nullptr, nullptr, [] { pool() = new ThreadPool; });
#endif
        return new ThreadPool;
    }();
    return one;
}

} // namespace

void run_in_pool(std::size_t helpers, const std::function<void()>& work) { pool()->run(helpers, work); }

} // namespace morphobench
