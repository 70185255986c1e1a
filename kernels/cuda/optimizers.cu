// One step of SGD, Adam(W) or a moving average on many parameters; SGD and Adam(W) in the order of
// operations of torch.optim.

#include <cmath>
#include <type_traits>

#include "kernels/cuda/device/optimizers.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

OptimizerEntry<1> entry_of(const SgdParameter& p) {
  return {p.parameter.data,
          p.gradient.data,
          {p.momentum != nullptr ? p.momentum->as<float>() : nullptr},
          p.parameter.numel()};
}

OptimizerEntry<2> entry_of(const AdamParameter& p) {
  return {p.parameter.data,
          p.gradient.data,
          {p.first_moment.as<float>(), p.second_moment.as<float>()},
          p.parameter.numel()};
}

OptimizerEntry<0> entry_of(const AveragedParameter& p) {
  return {p.average.data, p.parameter.data, p.parameter.numel()};
}

// Updates the selected parameters of type T, as many in a launch as its list holds.
template <class T, int states, class Parameter, class Update>
void step_type(Context& context, const char* name, std::span<const Parameter> parameters,
               const Update& update, bool (*selects)(const Parameter&)) {
  OptimizerList<states> list;
  const auto flush = [&] {
    using Updated = std::conditional_t<states == 0, float, T>;  // an average is f32
    launch(context, name, optimizer_kernel<Updated, T, states, Update>,
           {dim3(list.first_block[list.count]), dim3(optimizer_threads)}, list, update);
    list.count = 0;
  };
  for (const Parameter& parameter : parameters) {
    if (parameter.parameter.dtype != dtype_of<T> || !selects(parameter)) continue;
    if (list.count == optimizer_list) flush();
    const auto entry = entry_of(parameter);
    list.entries[list.count] = entry;
    list.first_block[list.count + 1] =
        list.first_block[list.count] + blocks_for(entry.numel, optimizer_chunk);
    ++list.count;
  }
  flush();
}

template <int states, class Parameter, class Update>
void step(
    Context& context, const char* name, std::span<const Parameter> parameters, const Update& update,
    bool (*selects)(const Parameter&) = [](const Parameter&) { return true; }) {
  for (const Parameter& parameter : parameters) {  // refuses other types, by name
    dispatch<DeviceFloatTypes>(name, parameter.parameter, [](auto) {});
  }
  step_type<float, states>(context, name, parameters, update, selects);
  step_type<bfloat16, states>(context, name, parameters, update, selects);
  step_type<float16, states>(context, name, parameters, update, selects);
}

}  // namespace

void sgd_step(Context& context, std::span<const SgdParameter> parameters, const SgdDesc& desc) {
  SgdUpdate update{.learning_rate = static_cast<float>(desc.learning_rate),
                   .momentum = static_cast<float>(desc.momentum),
                   .fresh = static_cast<float>(1 - desc.dampening),
                   .weight_decay = static_cast<float>(desc.weight_decay),
                   .has_momentum = false,
                   .first = desc.first_step,
                   .nesterov = desc.nesterov};
  step<1, SgdParameter>(context, "sgd_step", parameters, update,
                        [](const SgdParameter& p) { return p.momentum == nullptr; });
  update.has_momentum = true;
  step<1, SgdParameter>(context, "sgd_step", parameters, update,
                        [](const SgdParameter& p) { return p.momentum != nullptr; });
}

void adam_step(Context& context, std::span<const AdamParameter> parameters, const AdamDesc& desc) {
  const double correction1 = 1 - std::pow(desc.beta1, static_cast<double>(desc.step));
  const double correction2 = 1 - std::pow(desc.beta2, static_cast<double>(desc.step));
  const bool decoupled = desc.decoupled_weight_decay;
  const AdamUpdate update{
      .step_size = static_cast<float>(desc.learning_rate / correction1),
      .root_correction = static_cast<float>(std::sqrt(correction2)),
      .epsilon = static_cast<float>(desc.epsilon),
      .new1 = static_cast<float>(1 - desc.beta1),
      .beta2 = static_cast<float>(desc.beta2),
      .new2 = static_cast<float>(1 - desc.beta2),
      .shrink = decoupled ? static_cast<float>(1 - desc.learning_rate * desc.weight_decay) : 1.0f,
      .weight_decay = decoupled ? 0.0f : static_cast<float>(desc.weight_decay)};
  step<2, AdamParameter>(context, "adam_step", parameters, update);
}

void average_step(Context& context, std::span<const AveragedParameter> parameters, double decay) {
  const AverageUpdate update{.kept = static_cast<float>(decay),
                             .fresh = static_cast<float>(1 - decay)};
  step<0, AveragedParameter>(context, "average_step", parameters, update);
}

}  // namespace GESTALT_CUDA_NAMESPACE
