#ifdef GESTALT_WITH_ONEDNN

#include "kernels/cpu/conv_plan.h"

#include "kernels/cpu/plan_cache.h"
#include "kernels/cpu/single_thread.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

using dnnl::memory;
constexpr auto any = memory::format_tag::any;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

memory::desc strided(const memory::dims& dims, const memory::dims& strides) {
  return memory::desc(dims, memory::data_type::f32, strides);
}

memory::dims dims_of(const Shape& shape) {
  return memory::dims(shape.begin(), shape.end());
}

// As the view lies. Strides of dimensions of size 1 are free, but oneDNN compares them.
memory::desc user_layout(const View& view) {
  const bool last = view.is_channels_last(), dense = last || view.is_contiguous();
  const Format format = view.is_contiguous() ? Format::contiguous : Format::channels_last;
  return strided(dims_of(view.shape),
                 dims_of(dense ? strides_of(view.shape, format) : view.strides));
}

memory::desc channels_last(const View& view) {
  return strided(dims_of(view.shape), dims_of(strides_of(view.shape, Format::channels_last)));
}

// Whatever layout the plan chooses.
memory::desc any_layout(const View& view) {
  return memory::desc(dims_of(view.shape), memory::data_type::f32, any);
}

// The sizes of one convolution and how its images lie.
struct Problem {
  memory::desc x, w, bias, y;  // bias: zero-sized where there is none
  memory::desc x_free, w_free, y_free;
  memory::dims stride, dilation, padding_low, padding_high;
};

// `x`, `w`, `y` may be slices of larger views, strided in their outer dimensions.
Problem make_problem(const View& x, const View& w, const View* bias, const View& y,
                     const Conv2dDesc& desc) {
  Problem p;
  p.x = user_layout(x);
  p.y = user_layout(y);
  // Channels-last stays so where both are; for the rest a plan chooses its own layout: few direct
  // convolutions take N, C, H, W.
  const auto stays = [](const View& view) { return view.strides[1] == 1 && !view.is_contiguous(); };
  const bool last = stays(x) && stays(y);
  p.x_free = last ? channels_last(x) : any_layout(x);
  p.y_free = last ? channels_last(y) : any_layout(y);
  memory::dims w_dims = dims_of(w.shape), w_strides = dims_of(w.strides);
  if (desc.groups > 1) {
    w_dims[0] /= desc.groups;
    w_dims.insert(w_dims.begin(), desc.groups);
    w_strides.insert(w_strides.begin(), w_strides[0] * w_dims[1]);
  }
  p.w = strided(w_dims, w_strides);
  p.w_free = memory::desc(w_dims, memory::data_type::f32, any);
  if (bias != nullptr) p.bias = strided({bias->shape[0]}, {1});
  for (int axis = 0; axis < 2; ++axis) {
    p.stride.push_back(desc.stride[axis]);
    p.dilation.push_back(desc.dilation[axis] - 1);
    p.padding_low.push_back(desc.padding[axis]);
    const int64_t reach = desc.dilation[axis] * (w.shape[2 + axis] - 1) + 1;
    p.padding_high.push_back((y.shape[2 + axis] - 1) * desc.stride[axis] + reach -
                             x.shape[2 + axis] - desc.padding[axis]);
  }
  return p;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

using Forward = dnnl::convolution_forward;

// Of a convolution of these arguments; of a gradient with that of the forward pass as its hint.
#if DNNL_VERSION_MAJOR >= 3
template <class... Arguments>
Forward::primitive_desc describe(const Arguments&... arguments) {
  return {engine(), arguments..., attributes()};
}
template <class Gradient, class... Arguments>
typename Gradient::primitive_desc describe_gradient(const Forward::primitive_desc& forward,
                                                    const Arguments&... arguments) {
  return {engine(), arguments..., forward, attributes()};
}
#else
template <class... Arguments>
Forward::primitive_desc describe(const Arguments&... arguments) {
  return {Forward::desc(arguments...), attributes(), engine()};
}
template <class Gradient, class... Arguments>
typename Gradient::primitive_desc describe_gradient(const Forward::primitive_desc& forward,
                                                    const Arguments&... arguments) {
  return {typename Gradient::desc(arguments...), attributes(), engine(), forward};
}
#endif

constexpr auto algorithm = dnnl::algorithm::convolution_direct;

Forward::primitive_desc forward_desc(const Problem& p, dnnl::prop_kind kind) {
  if (p.bias.get_size() > 0) {
    return describe(kind, algorithm, p.x_free, p.w_free, p.bias, p.y_free, p.stride, p.dilation,
                    p.padding_low, p.padding_high);
  }
  return describe(kind, algorithm, p.x_free, p.w_free, p.y_free, p.stride, p.dilation,
                  p.padding_low, p.padding_high);
}

// An argument of a primitive and how the caller has it; the last one is the output.
struct Argument {
  int number;
  const memory::desc& user;
};

template <class Primitive>
ConvPlan plan_of(const typename Primitive::primitive_desc& pd,
                 std::initializer_list<Argument> arguments) {
  ConvPlan plan{Primitive(pd), pd.scratchpad_desc(), {}};
  for (const auto& [number, user] : arguments) {
    plan.ports.push_back({number, user, pd.query_md(dnnl::query::exec_arg_md, number)});
  }
  plan.ports.back().output = true;
  return plan;
}

template <class Gradient>
ConvPlan gradient_plan(const Problem& p, std::initializer_list<Argument> arguments) {
  const auto forward = forward_desc(p, dnnl::prop_kind::forward_training);
  return plan_of<Gradient>(
      describe_gradient<Gradient>(forward, algorithm, p.x_free, p.w_free, p.y_free, p.stride,
                                  p.dilation, p.padding_low, p.padding_high),
      arguments);
}

// Planned for one thread; the changes of layout follow.
ConvPlan make_plan(Direction direction, const Problem& p) {
  const SingleThread planned_for;
  if (direction == Direction::data) {
    return gradient_plan<dnnl::convolution_backward_data>(
        p, {{DNNL_ARG_DIFF_DST, p.y}, {DNNL_ARG_WEIGHTS, p.w}, {DNNL_ARG_DIFF_SRC, p.x}});
  }
  if (direction == Direction::weights) {
    return gradient_plan<dnnl::convolution_backward_weights>(
        p, {{DNNL_ARG_DIFF_DST, p.y}, {DNNL_ARG_SRC, p.x}, {DNNL_ARG_DIFF_WEIGHTS, p.w}});
  }
  ConvPlan plan =
      plan_of<Forward>(forward_desc(p, dnnl::prop_kind::forward_inference),
                       {{DNNL_ARG_SRC, p.x}, {DNNL_ARG_WEIGHTS, p.w}, {DNNL_ARG_DST, p.y}});
  if (p.bias.get_size() > 0) plan.ports.push_back({DNNL_ARG_BIAS, p.bias, p.bias});
  return plan;
}

struct ConvPlans : PlanCache<ConvPlan> {};

size_t aligned(size_t bytes) {
  return round_up(bytes, 256);
}

}  // namespace

size_t ConvPlan::Port::copy_bytes() const {
  return moves() ? aligned(wanted.get_size()) : 0;
}

void ConvPlan::Port::move_in(void* data, void* copy) const {
  dnnl::stream stream(engine());
  memory from(user, engine(), data), to(wanted, engine(), copy);
  reorder.execute(stream, from, to);
  stream.wait();
}

size_t ConvPlan::workspace_bytes() const {
  size_t bytes = aligned(scratchpad.get_size());
  for (const Port& port : ports) bytes += port.copy_bytes();
  return bytes;
}

ConvRunner::ConvRunner(std::shared_ptr<const ConvPlan> plan, std::initializer_list<bool> moved,
                       void* workspace)
    : plan_(std::move(plan)), stream_(engine()) {
  char* free = static_cast<char*>(workspace);
  const auto take = [&](const memory::desc& desc) {
    const memory result(desc, engine(), free);
    free += aligned(desc.get_size());
    return result;
  };
  arguments_.emplace(DNNL_ARG_SCRATCHPAD, take(plan_->scratchpad));
  for (size_t i = 0; i < plan_->ports.size(); ++i) {
    const ConvPlan::Port& port = plan_->ports[i];
    const bool copies = port.moves() && !(i < moved.size() && moved.begin()[i]);
    user_.emplace_back(copies ? port.user : port.wanted, engine(), nullptr);
    wanted_.push_back(copies ? take(port.wanted) : user_.back());
    arguments_.emplace(port.argument, wanted_.back());
  }
}

void ConvRunner::run(std::initializer_list<void*> data) {
  const auto reorder = [&](bool output) {
    for (size_t i = 0; i < user_.size(); ++i) {
      const ConvPlan::Port& port = plan_->ports[i];
      const bool copied = user_[i] != wanted_[i];
      if (!copied || port.output != output) continue;
      memory &from = output ? wanted_[i] : user_[i], &to = output ? user_[i] : wanted_[i];
      port.reorder.execute(stream_, from, to);
    }
  };
  size_t i = 0;
  for (void* pointer : data) {  // oneDNN 2 clears a layout's padding with every pointer
    if (memory& user = user_[i++]; user.get_data_handle() != pointer) user.set_data_handle(pointer);
  }
  reorder(false);
  plan_->primitive.execute(stream_, arguments_);
  reorder(true);
  stream_.wait();
}

std::shared_ptr<const ConvPlan> conv_plan(Context& context, Direction direction, const View& x,
                                          const View& w, const View* bias, const View& y,
                                          const Conv2dDesc& desc) {
  PlanKey key{static_cast<int64_t>(direction), desc.groups, bias != nullptr, omp_get_max_threads()};
  for (const View* view : {&x, &w, &y}) {
    key.insert(key.end(), view->shape.begin(), view->shape.end());
    key.insert(key.end(), view->strides.begin(), view->strides.end());
  }
  for (const Pair& pair : {desc.stride, desc.padding, desc.dilation}) {
    key.insert(key.end(), pair.begin(), pair.end());
  }
  return context.state<ConvPlans>().get(key, [&] {
    Problem problem = make_problem(x, w, bias, y, desc);
    if (direction == Direction::weights) {  // some channels of a channels-last image are too slow
      problem.x_free = any_layout(x);
      problem.y_free = any_layout(y);
    }
    ConvPlan plan = make_plan(direction, problem);
    for (ConvPlan::Port& port : plan.ports) {
      if (!port.moves()) continue;
      const memory::desc& from = port.output ? port.wanted : port.user;
      const memory::desc& to = port.output ? port.user : port.wanted;
      port.reorder = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
    }
    return plan;
  });
}

}  // namespace gestalt::cpu

#endif
