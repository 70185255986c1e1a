#include "tests/simt/device/stream.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tests/simt/device/memory.h"
#include "tests/simt/global_memory.h"

namespace gestalt::simt {
namespace {

struct Streams {
  std::mutex mutex;
  std::vector<Stream*> all;
};

Streams& streams() {
  static auto* streams = new Streams;
  return *streams;
}

std::string fault_of(uintptr_t address, size_t bytes) {
  return DeviceMemory::instance().fault_of(address, bytes);
}

}  // namespace

Stream::Stream() : host_(cpu_runtime.make_context(0)) {
  const std::lock_guard lock(streams().mutex);
  streams().all.push_back(this);
}

Stream::~Stream() {
  const std::lock_guard lock(streams().mutex);
  std::erase(streams().all, this);
}

Stream& Stream::of(const Context& context) {
  return *static_cast<Stream*>(context.stream());
}

void Stream::enqueue(Work work) {
  const std::lock_guard lock(queue_mutex_);
  if (recording_) {
    recording_->push_back(std::move(work));
  } else {
    queue_.push_back({.work = std::move(work)});
  }
}

void Stream::enqueue(std::shared_ptr<const Recording> recording) {
  const std::lock_guard lock(queue_mutex_);
  queue_.push_back({.recording = std::move(recording)});
}

void Stream::release(void* memory) {
  DeviceMemory::instance().begin_release(memory);
  const std::lock_guard lock(queue_mutex_);
  released_while_recording_ |= recording_ != nullptr;
  queue_.push_back({.released = memory});
}

void Stream::run(const Entry& entry) {
  if (entry.work.run) entry.work.run(*host_);
  if (!entry.recording) return;
  for (const Work& work : *entry.recording) work.run(*host_);
}

void Stream::drain() {
  const std::lock_guard running(run_mutex_);
  std::vector<Entry> queue;
  {
    const std::lock_guard lock(queue_mutex_);
    queue.swap(queue_);
  }
  if (queue.empty()) return;
  std::exception_ptr error;
  const DeviceMemory::Open open;
  const RuledMemory rule(fault_of);
  for (const Entry& entry : queue) {
    try {
      if (!error) run(entry);
    } catch (...) {
      error = std::current_exception();
    }
    if (entry.released != nullptr) DeviceMemory::instance().free(entry.released);
  }
  if (error) std::rethrow_exception(error);
}

void Stream::drain_all() {
  const std::lock_guard lock(streams().mutex);
  std::exception_ptr error;
  for (Stream* stream : streams().all) {
    try {
      stream->drain();
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

void Stream::begin_capture() {
  const std::lock_guard lock(queue_mutex_);
  recording_ = std::make_unique<Recording>();
  released_while_recording_ = false;
}

std::shared_ptr<const Recording> Stream::end_capture() {
  const std::lock_guard lock(queue_mutex_);
  const std::shared_ptr<const Recording> recording = std::move(recording_);
  GESTALT_CHECK(!released_while_recording_,
                "[end capture] emulated device: memory was released inside of the capture");
  return recording;
}

}  // namespace gestalt::simt
