// The engine is the first of cuDNN's own ranking (a rule, not a timing) that is deterministic and
// needs at most workspace_limit bytes: the same shapes give the same bits on the same device and
// cuDNN, as long as there is memory for its workspace (conv2d.cpp). f32 may be multiplied as TF32
// unless the problem is exact, as in PyTorch; exact also forbids Winograd and FFT. bf16 and f16 are
// summed in f32.

#include "kernels/cuda/library/conv2d_plan.h"

#include <algorithm>
#include <iterator>

#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/library/handles.h"
#include "kernels/cuda/library/skipped_engines.h"

namespace gestalt::cuda {
namespace {

// Names of tensors within a graph, by which arrays are handed over.
enum TensorId : int64_t { x_tensor = 1, w_tensor, y_tensor };

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::f32    ? CUDNN_DATA_FLOAT
         : dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16
                                : CUDNN_DATA_HALF;
}

Descriptor finalized(Descriptor descriptor) {
  descriptor.finalize();
  return descriptor;
}

Descriptor make_tensor(TensorId name, const std::array<int64_t, 4>& sizes,
                       const Conv2dProblem& problem) {
  const Strides strides = strides_of(Shape(sizes), problem.format);
  Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, data_type(problem.dtype))
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const int64_t>(sizes))
      .set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const int64_t>(strides.begin(), strides.end()))
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(name))
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, problem.alignment);
  return finalized(std::move(tensor));
}

Descriptor make_window(const Conv2dProblem& problem) {
  const std::span<const int64_t> padding(problem.padding);
  Descriptor window(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  window.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding)
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding)
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const int64_t>(problem.dilation))
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const int64_t>(problem.stride));
  return finalized(std::move(window));
}

// cuDNN's names for one thing in the three directions.
struct OperationNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t x, w, y, window, alpha, beta;
};

constexpr OperationNames names_of(Conv2dDirection direction) {
  switch (direction) {
    case Conv2dDirection::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Conv2dDirection::backward_data:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Conv2dDirection::backward_weights:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

Descriptor make_operation(const Conv2dProblem& problem) {
  const OperationNames names = names_of(problem.direction);
  Descriptor operation(names.operation);
  operation.set(names.x, make_tensor(x_tensor, problem.x, problem))
      .set(names.w, make_tensor(w_tensor, problem.w, problem))
      .set(names.y, make_tensor(y_tensor, problem.y, problem))
      .set(names.window, make_window(problem))
      .set(names.alpha, 1.0f)
      .set(names.beta, problem.accumulates ? 1.0f : 0.0f);
  return finalized(std::move(operation));
}

// Without padding or moving: rows of channels of 16 bytes.
bool suits_tensor_cores(const Conv2dProblem& problem) {
  return problem.dtype != DType::f32 && problem.format == Format::channels_last &&
         problem.alignment == 16 && problem.w[0] % 8 == 0 && problem.w[1] % 8 == 0;
}

std::vector<Descriptor> ranking(const Descriptor& graph, cudnnBackendHeurMode_t mode,
                                [[maybe_unused]] const Target& target) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
#if CUDNN_VERSION >= 90800
  if (target.properties != nullptr) {
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
  }
#endif
  std::vector<Descriptor> configs;
  if (heuristics.try_to_finalize() != CUDNN_STATUS_SUCCESS) return configs;
  const int64_t count = heuristics.count(CUDNN_ATTR_ENGINEHEUR_RESULTS);
  for (int64_t i = 0; i < count; ++i) configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  const int64_t found = heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, configs);
  configs.erase(configs.begin() + found, configs.end());
  return configs;
}

}  // namespace

Target target_of(Context& context) {
  return {.handle = cudnn_handle(context),
          .architecture = 10 * device_attribute(context, cudaDevAttrComputeCapabilityMajor) +
                          device_attribute(context, cudaDevAttrComputeCapabilityMinor)};
}

EngineConfig::EngineConfig(Descriptor config) : config_(std::move(config)) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  config_.get(CUDNN_ATTR_ENGINECFG_ENGINE, std::span(&engine, 1));
  engine_ = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, 1).at(0);
  notes_ = engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                   CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  for (const auto note : engine.get<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                                                                CUDNN_BEHAVIOR_NOTE_TYPE_COUNT)) {
    compiles_at_run_time_ |= note == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
  }
}

bool EngineConfig::has(cudnnBackendNumericalNote_t note) const {
  return std::find(notes_.begin(), notes_.end(), note) != notes_.end();
}

std::string EngineConfig::notes() const {
  constexpr const char* names[] = {
      "tensor_core",  "down_convert_inputs", "reduced_precision_reduction",
      "fft",          "nondeterministic",    "winograd",
      "winograd_4x4", "winograd_6x6",        "winograd_13x13",
      "strict_nan"};
  std::string notes = compiles_at_run_time_ ? "compiled_at_run_time" : "";
  for (const auto note : notes_) {
    if (!notes.empty()) notes += ' ';
    notes += static_cast<size_t>(note) < std::size(names) ? names[note] : "?";
  }
  return notes;
}

std::vector<EngineConfig> engine_configs(const Conv2dProblem& problem, const Target& target) {
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, make_operation(problem));
  graph.finalize();
  std::vector<EngineConfig> configs;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Descriptor& config : ranking(graph, mode, target)) configs.emplace_back(std::move(config));
  }
  std::erase_if(configs, [&, version = cudnn().cudnnGetVersion()](const EngineConfig& config) {
    return is_faulty(problem.direction, config.engine(), version, target.architecture);
  });
  // What tensor cores can read as it lies they should multiply. For bf16 images [128,64,56,56] and
  // 1x1 weights of stride 2 the ranking of cuDNN 9.19 begins with an engine that converts them to
  // f32, in 77 MB of workspace.
  if (suits_tensor_cores(problem)) {
    std::stable_partition(configs.begin(), configs.end(), [](const EngineConfig& config) {
      return config.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
    });
  }
  // Compiling takes seconds, at the first use of each shape.
  std::stable_partition(configs.begin(), configs.end(),
                        [](const EngineConfig& config) { return !config.compiles_at_run_time(); });
  return configs;
}

bool is_allowed(const EngineConfig& config, const Conv2dProblem& problem) {
  if (is_skipped(problem.direction, config.engine())) return false;
  if (config.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
  // bf16 and f16 are summed in f32, f32 is never converted to f16.
  if (config.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return false;
  if (config.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return false;
  if (!problem.exact) return true;
  if (problem.dtype == DType::f32 && config.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) return false;
  return !config.has(CUDNN_NUMERICAL_NOTE_WINOGRAD) && !config.has(CUDNN_NUMERICAL_NOTE_FFT);
}

Plan::Plan(Descriptor plan, EngineConfig config)
    : config_(std::move(config)),
      plan_(std::move(plan)),
      workspace_bytes_(static_cast<size_t>(
          plan_.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 1).at(0))) {}

void Plan::run(Context& context, const Conv2dProblem& problem, const Conv2dArrays& arrays,
               void* workspace) const {
  const int64_t names[] = {x_tensor, w_tensor, y_tensor};
  void* const pointers[] = {arrays.x, arrays.w, arrays.y};
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(names))
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(pointers))
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  pack.finalize();
  const char* const name = name_of(problem.direction);
  check(cudnn().cudnnBackendExecute(cudnn_handle(context), plan_.get(), pack.get()), name);
  wait_if_asked(context, name);
}

std::optional<Plan> make_plan(EngineConfig config, const Target& target) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config.descriptor());
  if (target.handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
#if CUDNN_VERSION >= 90800
  if (target.properties != nullptr) {
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
  }
#endif
  if (plan.try_to_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  return Plan(std::move(plan), std::move(config));
}

bool suits(const Plan& plan, const Conv2dProblem& problem) {
  return is_allowed(plan.config(), problem) && plan.workspace_bytes() <= workspace_limit;
}

std::optional<Plan> make_plan(const Conv2dProblem& problem, const Target& target,
                              const std::function<bool(const Plan&)>& accepts) {
  std::vector<EngineConfig> configs;
  try {
    configs = engine_configs(problem, target);
  } catch (const Error& error) {
    throw Error(
        format("[{}] {} ({})", name_of(problem.direction), error.what(), to_string(problem)));
  }
  for (EngineConfig& config : configs) {
    if (!is_allowed(config, problem)) continue;
    std::optional<Plan> plan = make_plan(std::move(config), target);
    if (plan && suits(*plan, problem) && (!accepts || accepts(*plan))) return plan;
  }
  return std::nullopt;
}

}  // namespace gestalt::cuda
