#include "kernels/cpu/capture.h"

#include <functional>
#include <optional>
#include <span>
#include <tuple>

#include "kernels/table.h"

namespace gestalt::cpu {
namespace {

// An argument of a recorded call, with copies of all that it points to except tensor data.
template <class T>
class Owned {
 public:
  explicit Owned(const T& value) : value_(value) {}
  const T& get() const { return value_; }

 private:
  T value_;
};

template <>
class Owned<const View*> {
 public:
  explicit Owned(const View* view) {
    if (view != nullptr) view_ = *view;
  }
  const View* get() const { return view_ ? &*view_ : nullptr; }

 private:
  std::optional<View> view_;
};

template <class T>
class Owned<std::span<const T>> {
 public:
  explicit Owned(std::span<const T> values) : values_(values.begin(), values.end()) {}
  std::span<const T> get() const { return values_; }

 private:
  std::vector<T> values_;
};

template <>
class Owned<std::span<const SgdParameter>> {
 public:
  explicit Owned(std::span<const SgdParameter> parameters)
      : parameters_(parameters.begin(), parameters.end()) {
    momenta_.reserve(parameters.size());  // pointed to
    for (SgdParameter& entry : parameters_) {
      if (entry.momentum != nullptr) entry.momentum = &momenta_.emplace_back(*entry.momentum);
    }
  }
  Owned(Owned&&) = default;
  Owned(const Owned&) = delete;
  std::span<const SgdParameter> get() const { return parameters_; }

 private:
  std::vector<SgdParameter> parameters_;
  std::vector<View> momenta_;
};

using Call = std::function<void(Context&)>;

class Recording : public CapturedWork {
 public:
  explicit Recording(const KernelTable& kernels) : kernels_(kernels) {}

  void replay(Context& context) override {
    for (const Call& call : calls_) call(context);
  }

  const KernelTable& kernels() const { return kernels_; }
  void add(Call call) { calls_.push_back(std::move(call)); }

 private:
  const KernelTable& kernels_;  // those that run in replays
  std::vector<Call> calls_;
};

// What a context records now.
struct CurrentRecording {
  std::unique_ptr<Recording> recording;
};

template <auto member, class Signature>
struct RecordedKernel;

template <auto member, class... Args>
struct RecordedKernel<member, Kernel<void(Args...)>> {
  static void call(Context& context, Args... args) {
    Recording& recording = *context.state<CurrentRecording>().recording;
    auto function = (recording.kernels().*member).function;
    // Shared, since std::function wants to copy what it calls.
    auto owned = std::make_shared<std::tuple<Owned<std::remove_cvref_t<Args>>...>>(
        Owned<std::remove_cvref_t<Args>>(args)...);
    recording.add([function, owned](Context& replaying) {
      std::apply([&](const auto&... arguments) { function(replaying, arguments.get()...); },
                 *owned);
    });
  }
};

template <auto member, class T>
void record(const KernelTable& base, KernelTable& table, T KernelTable::*) {
  (table.*member).function = nullptr;
  if (base.*member) (table.*member).function = RecordedKernel<member, T>::call;
}

// Has the entries that `base` has.
struct RecordingTable {
  KernelTable table;
  void follow(const KernelTable& base) {
#define GESTALT_RECORD_KERNEL(name, ...) \
  record<&KernelTable::name>(base, table, &KernelTable::name);
    GESTALT_KERNELS(GESTALT_RECORD_KERNEL)
#undef GESTALT_RECORD_KERNEL
  }
};

}  // namespace

void begin_capture(Context& context) {
  RecordingTable& recorder = context.state<RecordingTable>();
  recorder.follow(context.kernels());
  context.state<CurrentRecording>().recording = std::make_unique<Recording>(context.kernels());
  context.set_kernels(recorder.table);
}

std::unique_ptr<CapturedWork> end_capture(Context& context) {
  std::unique_ptr<Recording> recording = std::move(context.state<CurrentRecording>().recording);
  context.set_kernels(recording->kernels());
  return recording;
}

}  // namespace gestalt::cpu
