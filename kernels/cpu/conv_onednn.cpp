#ifdef GESTALT_WITH_ONEDNN

#include "kernels/cpu/conv_onednn.h"

#include <dnnl.hpp>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/plan_cache.h"
#include "kernels/cpu/single_thread.h"

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

// Whatever layout the plan chooses.
memory::desc any_layout(const View& view) {
  return memory::desc(dims_of(view.shape), memory::data_type::f32, any);
}

// The layout that a plan may choose: its own for N, C, H, W, which has no fast direct convolution;
// channels-last stays as it is.
memory::desc free_layout(const memory::desc& user, const View& view) {
  return view.is_channels_last() && !view.is_contiguous() ? user : any_layout(view);
}

// One argument of a primitive: where the caller has it, and where the primitive wants it.
struct Port {
  int argument;
  memory::desc user, wanted;
  bool output = false;
  dnnl::reorder reorder = {};  // where the two differ

  Port(int argument, const memory::desc& user, const memory::desc& wanted, bool output = false)
      : argument(argument), user(user), wanted(wanted), output(output) {
    if (!moves()) return;
    const auto &from = output ? wanted : user, &to = output ? user : wanted;
    reorder = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
  }
  bool moves() const { return user != wanted; }
};

struct Plan {
  dnnl::primitive primitive;
  memory::desc scratchpad;
  std::vector<Port> ports;

  static size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

  size_t workspace_bytes() const {
    size_t bytes = aligned(scratchpad.get_size());
    for (const Port& port : ports) bytes += port.moves() ? aligned(port.wanted.get_size()) : 0;
    return bytes;
  }

  // `data`: one pointer a port; `workspace`: workspace_bytes() of memory.
  void run(std::initializer_list<void*> data, void* workspace) const {
    dnnl::stream stream(engine());
    char* free = static_cast<char*>(workspace);
    const auto take = [&](const memory::desc& desc) {
      const memory result(desc, engine(), free);
      free += aligned(desc.get_size());
      return result;
    };
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SCRATCHPAD, take(scratchpad)}};
    std::vector<std::pair<memory, memory>> moved;
    size_t i = 0;
    for (void* pointer : data) {
      const Port& port = ports[i++];
      memory user(port.user, engine(), pointer);
      memory wanted = port.moves() ? take(port.wanted) : user;
      if (port.moves() && !port.output) port.reorder.execute(stream, user, wanted);
      arguments.emplace(port.argument, wanted);
      moved.emplace_back(user, wanted);
    }
    primitive.execute(stream, arguments);
    for (i = 0; i < ports.size(); ++i) {
      auto& [user, wanted] = moved[i];
      if (ports[i].moves() && ports[i].output) ports[i].reorder.execute(stream, wanted, user);
    }
    stream.wait();
  }
};

enum class Direction : int64_t { forward, data, weights };

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
  p.x = strided(dims_of(x.shape), dims_of(x.strides));
  p.y = strided(dims_of(y.shape), dims_of(y.strides));
  p.x_free = free_layout(p.x, x);
  p.y_free = free_layout(p.y, y);
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

// Of a convolution of these arguments; of a gradient with the forward pass behind it.
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

template <class Gradient>
typename Gradient::primitive_desc gradient_desc(const Problem& p) {
  return describe_gradient<Gradient>(forward_desc(p, dnnl::prop_kind::forward_training), algorithm,
                                     p.x_free, p.w_free, p.y_free, p.stride, p.dilation,
                                     p.padding_low, p.padding_high);
}

Plan make_plan(Direction direction, const Problem& p) {
  Plan plan;
  if (direction == Direction::forward) {
    const auto pd = forward_desc(p, dnnl::prop_kind::forward_inference);
    plan = {dnnl::convolution_forward(pd), pd.scratchpad_desc(), {}};
    plan.ports = {{DNNL_ARG_SRC, p.x, pd.src_desc()},
                  {DNNL_ARG_WEIGHTS, p.w, pd.weights_desc()},
                  {DNNL_ARG_DST, p.y, pd.dst_desc(), true}};
    if (p.bias.get_size() > 0) plan.ports.emplace_back(DNNL_ARG_BIAS, p.bias, p.bias);
    return plan;
  }
  if (direction == Direction::data) {
    const auto pd = gradient_desc<dnnl::convolution_backward_data>(p);
    plan = {dnnl::convolution_backward_data(pd), pd.scratchpad_desc(), {}};
    plan.ports = {{DNNL_ARG_DIFF_DST, p.y, pd.diff_dst_desc()},
                  {DNNL_ARG_WEIGHTS, p.w, pd.weights_desc()},
                  {DNNL_ARG_DIFF_SRC, p.x, pd.diff_src_desc(), true}};
  } else {
    const auto pd = gradient_desc<dnnl::convolution_backward_weights>(p);
    plan = {dnnl::convolution_backward_weights(pd), pd.scratchpad_desc(), {}};
    plan.ports = {{DNNL_ARG_DIFF_DST, p.y, pd.diff_dst_desc()},
                  {DNNL_ARG_SRC, p.x, pd.src_desc()},
                  {DNNL_ARG_DIFF_WEIGHTS, p.w, pd.diff_weights_desc(), true}};
  }
  return plan;
}

struct ConvPlans : PlanCache<Plan> {};

std::shared_ptr<const Plan> plan_of(Context& context, Direction direction, const View& x,
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
    return make_plan(direction, problem);
  });
}

// Elements first to first + count of one dimension.
View slice(const View& view, int dim, int64_t first, int64_t count) {
  View part = view;
  part.data = view.as<float>() + first * view.strides[dim];
  part.shape[dim] = count;
  return part;
}

// So many images of a batch as keep oneDNN's own copies of them small: in the cache, and out of the
// peak of memory. A rule of the shapes alone.
int64_t images_at_once(const Plan& plan_of_all, int64_t images) {
  constexpr size_t most_bytes = size_t{16} << 20;
  size_t bytes = 0;
  for (const Port& port : plan_of_all.ports) {
    const bool of_images = port.argument == DNNL_ARG_SRC || port.argument == DNNL_ARG_DST;
    if (of_images && port.moves()) bytes += port.wanted.get_size();
  }
  const auto parts = static_cast<int64_t>((bytes + most_bytes - 1) / most_bytes);
  return parts <= 1 ? images : (images + std::min(parts, images) - 1) / std::min(parts, images);
}

}  // namespace

bool takes_onednn(const View& x, const View& w, const View& y) {
  const auto dense = [](const View& view) {
    return view.dtype == DType::f32 && (view.is_contiguous() || view.is_channels_last());
  };
  return dense(x) && dense(w) && dense(y) && x.numel() > 0 && y.numel() > 0 && w.numel() > 0;
}

void conv2d_forward_onednn(Context& context, const View& x, const View& w, const View* bias,
                           const View& y, const Conv2dDesc& desc) {
  const int64_t images = x.shape[0];
  const auto plan_of_all = plan_of(context, Direction::forward, x, w, bias, y, desc);
  const int64_t step = images_at_once(*plan_of_all, images);
  for (int64_t first = 0; first < images; first += step) {
    const int64_t count = std::min(step, images - first);
    const View xs = slice(x, 0, first, count), ys = slice(y, 0, first, count);
    const auto plan =
        count == images ? plan_of_all : plan_of(context, Direction::forward, xs, w, bias, ys, desc);
    void* workspace = context.workspace(plan->workspace_bytes());
    if (bias != nullptr) {
      plan->run({xs.data, w.data, ys.data, bias->data}, workspace);
    } else {
      plan->run({xs.data, w.data, ys.data}, workspace);
    }
  }
  // Not fused: oneDNN's relu turns NaN into a number.
  if (desc.activation == Activation::relu) relu(context, y, y);
}

void conv2d_backward_data_onednn(Context& context, const View& dy, const View& w, const View& dx,
                                 const Conv2dDesc& desc) {
  const auto plan = plan_of(context, Direction::data, dx, w, nullptr, dy, desc);
  plan->run({dy.data, w.data, dx.data}, context.workspace(plan->workspace_bytes()));
}

void conv2d_backward_weights_onednn(Context& context, const View& dy, const View& x, const View& dw,
                                    const Conv2dDesc& desc) {
  constexpr int64_t block_outputs = 32;
  const int64_t group_outputs = dy.shape[1] / desc.groups, group_inputs = dw.shape[1];
  const int64_t blocks = (group_outputs + block_outputs - 1) / block_outputs;
  // The views of one block: some channels of dy, those of x in its group, some rows of dw.
  struct Block {
    View dy, x, dw;
    std::shared_ptr<const Plan> plan;
  };
  std::vector<Block> work;
  size_t bytes = 0;
  {
    const SingleThread planned_for;
    Conv2dDesc block_desc = desc;
    block_desc.groups = 1;
    for (int64_t unit = 0; unit < desc.groups * blocks; ++unit) {
      const int64_t group = unit / blocks, in_group = unit % blocks * block_outputs;
      const int64_t first = group * group_outputs + in_group;
      const int64_t count = std::min(block_outputs, group_outputs - in_group);
      Block block{slice(dy, 1, first, count), slice(x, 1, group * group_inputs, group_inputs),
                  slice(dw, 0, first, count), nullptr};
      block.plan =
          plan_of(context, Direction::weights, block.x, block.dw, nullptr, block.dy, block_desc);
      bytes = std::max(bytes, block.plan->workspace_bytes());
      work.push_back(std::move(block));
    }
  }
  const auto units = static_cast<int64_t>(work.size());
  const int64_t workers = std::min<int64_t>(num_threads(), units);
  char* workspace = static_cast<char*>(context.workspace(bytes * static_cast<size_t>(workers)));
  parallel_for(workers, 1, [&](int64_t begin, int64_t end) {
    const SingleThread alone;
    for (int64_t worker = begin; worker < end; ++worker) {
      for (int64_t unit = worker; unit < units; unit += workers) {
        const Block& block = work[unit];
        block.plan->run({block.dy.data, block.x.data, block.dw.data},
                        workspace + static_cast<size_t>(worker) * bytes);
      }
    }
  });
}

}  // namespace gestalt::cpu

#endif
