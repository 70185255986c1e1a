#pragma once

// A stream of the emulated device: work that waits until somebody waits for it.
//
// Nothing runs before: a result that is read without a wait is the poison of fresh memory.

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/context.h"

namespace gestalt::simt {

// A kernel, a library's call or a copy, with all that it needs by value. Runs with the device's
// memory open, and with a context of the CPU for the CPU's kernels.
struct Work {
  const char* name;
  std::function<void(Context& host)> run;
};
using Recording = std::vector<Work>;

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  static Stream& of(const Context& context);

  void enqueue(Work work);     // while it captures: records
  void release(void* memory);  // after the work before
  // Runs all that waits. After an error the rest is dropped, and the error thrown.
  void drain();
  // Those of all contexts.
  static void drain_all();

  void begin_capture();
  std::shared_ptr<const Recording> end_capture();
  void enqueue(std::shared_ptr<const Recording> recording);

 private:
  struct Entry {
    Work work{};
    std::shared_ptr<const Recording> recording{};
    void* released = nullptr;
  };
  void run(const Entry& entry);

  std::mutex queue_mutex_, run_mutex_;
  std::vector<Entry> queue_;
  std::unique_ptr<Recording> recording_;
  bool released_while_recording_ = false;
  std::unique_ptr<Context> host_;
};

}  // namespace gestalt::simt
