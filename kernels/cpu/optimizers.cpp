// One step of SGD, Adam(W) or a moving average on many parameters; SGD and Adam(W) in the order of
// operations of torch.optim.

#include <cmath>

#include "kernels/cpu/ivdep.h"
#include "kernels/cpu/kernels.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"

namespace gestalt::cpu {
namespace {

// Calls body(parameter, begin, end) over the elements of all parameters, which are shared out as
// one range, so that many small ones keep all threads busy too.
template <class Parameter, class Body>
void for_each_element(std::span<const Parameter> parameters, const Body& body) {
  int64_t total = 0;
  for (const Parameter& entry : parameters) total += entry.parameter.numel();
  parallel_for(total, 16384, [&](int64_t begin, int64_t end) {
    int64_t first = 0;  // of the entry, in the range of all
    for (const Parameter& entry : parameters) {
      const int64_t size = entry.parameter.numel();
      const int64_t from = std::max(begin, first) - first;
      const int64_t to = std::min(end, first + size) - first;
      if (from < to) body(entry, from, to);
      first += size;
    }
  });
}

template <class T>
void sgd(const SgdParameter& entry, const SgdDesc& desc, int64_t begin, int64_t end) {
  using C = accumulate_t<T>;
  T* parameter = entry.parameter.as<T>();
  const T* gradient = entry.gradient.as<T>();
  const C learning_rate = static_cast<C>(desc.learning_rate);
  const C decay = static_cast<C>(desc.weight_decay);
  if (entry.momentum == nullptr) {
    GESTALT_IVDEP
    for (int64_t i = begin; i < end; ++i) {
      const C p = static_cast<C>(parameter[i]);
      const C g = static_cast<C>(gradient[i]) + decay * p;
      parameter[i] = T(p - learning_rate * g);
    }
    return;
  }
  C* buffer = entry.momentum->as<C>();
  const C momentum = static_cast<C>(desc.momentum);
  // The first step sets the buffer: whatever is in it, NaN too, is not read.
  const bool first = desc.first_step;
  const C fresh = first ? C(1) : static_cast<C>(1 - desc.dampening);
  const bool nesterov = desc.nesterov;
  GESTALT_IVDEP
  for (int64_t i = begin; i < end; ++i) {
    const C p = static_cast<C>(parameter[i]);
    const C g = static_cast<C>(gradient[i]) + decay * p;
    const C kept = first ? C(0) : momentum * buffer[i];
    const C velocity = kept + fresh * g;
    buffer[i] = velocity;
    const C ahead = g + momentum * velocity;
    parameter[i] = T(p - learning_rate * (nesterov ? ahead : velocity));
  }
}

template <class T>
void adam(const AdamParameter& entry, const AdamDesc& desc, int64_t begin, int64_t end) {
  using C = accumulate_t<T>;
  T* parameter = entry.parameter.as<T>();
  const T* gradient = entry.gradient.as<T>();
  C* first_moment = entry.first_moment.as<C>();
  C* second_moment = entry.second_moment.as<C>();
  const double correction1 = 1 - std::pow(desc.beta1, static_cast<double>(desc.step));
  const double correction2 = 1 - std::pow(desc.beta2, static_cast<double>(desc.step));
  const C step_size = static_cast<C>(desc.learning_rate / correction1);
  const C root_correction = static_cast<C>(std::sqrt(correction2));
  const C epsilon = static_cast<C>(desc.epsilon);
  const C new1 = static_cast<C>(1 - desc.beta1);
  const C beta2 = static_cast<C>(desc.beta2), new2 = static_cast<C>(1 - desc.beta2);
  const bool decoupled = desc.decoupled_weight_decay;
  const C shrink = decoupled ? static_cast<C>(1 - desc.learning_rate * desc.weight_decay) : C(1);
  const C decay = decoupled ? C(0) : static_cast<C>(desc.weight_decay);
  GESTALT_IVDEP
  for (int64_t i = begin; i < end; ++i) {
    const C p = static_cast<C>(parameter[i]) * shrink;
    const C g = static_cast<C>(gradient[i]) + decay * p;
    const C to_gradient = g - first_moment[i];  // from the end that is nearer, as torch.lerp
    const C m = new1 < C(0.5) ? first_moment[i] + to_gradient * new1 : g - to_gradient * (1 - new1);
    const C v = second_moment[i] * beta2 + new2 * (g * g);
    first_moment[i] = m;
    second_moment[i] = v;
    parameter[i] = T(p - step_size * (m / (std::sqrt(v) / root_correction + epsilon)));
  }
}

template <class T>
void average(const AveragedParameter& entry, double decay, int64_t begin, int64_t end) {
  using C = accumulate_t<T>;
  const T* parameter = entry.parameter.as<T>();
  C* average = entry.average.as<C>();
  const C kept = static_cast<C>(decay), fresh = static_cast<C>(1 - decay);
  GESTALT_IVDEP
  for (int64_t i = begin; i < end; ++i) {
    average[i] = kept * average[i] + fresh * static_cast<C>(parameter[i]);
  }
}

}  // namespace

void sgd_step(Context&, std::span<const SgdParameter> parameters, const SgdDesc& desc) {
  for_each_element(parameters, [&](const SgdParameter& entry, int64_t begin, int64_t end) {
    dispatch<FloatTypes>("sgd_step", entry.parameter,
                         [&]<class T>(std::type_identity<T>) { sgd<T>(entry, desc, begin, end); });
  });
}

void adam_step(Context&, std::span<const AdamParameter> parameters, const AdamDesc& desc) {
  for_each_element(parameters, [&](const AdamParameter& entry, int64_t begin, int64_t end) {
    dispatch<FloatTypes>("adam_step", entry.parameter,
                         [&]<class T>(std::type_identity<T>) { adam<T>(entry, desc, begin, end); });
  });
}

void average_step(Context&, std::span<const AveragedParameter> parameters, double decay) {
  for_each_element(parameters, [&](const AveragedParameter& entry, int64_t begin, int64_t end) {
    dispatch<FloatTypes>("average_step", entry.parameter, [&]<class T>(std::type_identity<T>) {
      average<T>(entry, decay, begin, end);
    });
  });
}

}  // namespace gestalt::cpu
