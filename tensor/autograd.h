#pragma once

// The tape: nodes that ops attach to their outputs, and the engine that walks them back.
//
// An op with a gradient:
//   Tensor y = Tensor::empty(...); kernel(...);
//   if (needs_grad({x, w})) attach(std::make_shared<MyNode>(x, w), {x, w}, {y});
// A node keeps what it needs with save(); saved tensors are detached, so no cycle arises, and their
// version is checked when they are used. Host code that takes memory by data<T>() can't be part of
// a captured step (tensor/graph.h), which data<T>() says; what takes it by view() on the CPU calls
// check_not_capturing(context(device), "my_op") first (kernels/capture.h).
//
// Gradients are constants: second derivatives are not supported.
//
// Threads may run forward and backward passes of their own through the same leaves: their gradients
// are added one at a time. What changes a leaf (an optimizer's step, set_grad) is for one thread.

#include <list>
#include <memory>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt {

class Node;

// A list: a hook may add others while it runs.
using GradientHooks = std::list<Tensor::Hook>;

// Where the gradient of a node's input goes: output `index` of `node`. Null: nowhere.
struct Edge {
  std::shared_ptr<Node> node;
  int index = 0;
};

// Which inputs' gradients were asked for.
class NeedsGrad {
 public:
  explicit NeedsGrad(std::vector<bool> needs) : needs_(std::move(needs)) {}
  bool operator[](size_t input) const { return needs_[input]; }
  size_t size() const { return needs_.size(); }

 private:
  std::vector<bool> needs_;
};

class Node {
 public:
  Node();
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  virtual const char* name() const = 0;  // of the op, "conv2d"

  // One gradient an input, of its shape, dtype and device, else Error naming the node; undefined
  // where it is not needed. grad_outputs[i] is undefined where nothing came for output i; at least
  // one is defined. Runs under no_grad.
  virtual std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                                       const NeedsGrad& needs) = 0;

  const std::vector<Edge>& edges() const { return edges_; }
  uint64_t sequence() const { return sequence_; }
  int outputs() const { return static_cast<int>(output_hooks_.size()); }
  void release_saved();

 protected:
  void save(const char* name, const Tensor& tensor);
  // Throws where the tensor was changed in place since, or the graph was already consumed.
  const Tensor& saved(const char* name) const;
  explicit Node(uint64_t sequence);  // leaves

 private:
  struct Saved {
    const char* name;
    Tensor tensor;
    uint64_t version;
  };

  // What an input's gradient must be like.
  struct Kind {
    Shape shape;
    DType dtype = DType::f32;
    Device device;
  };

  friend void attach(std::shared_ptr<Node>, std::vector<Tensor>, std::vector<Tensor>);
  friend class Engine;
  friend class Tensor;

  std::vector<Edge> edges_;
  std::vector<Kind> input_kinds_;  // of each edge that leads somewhere
  std::vector<Saved> saved_;
  std::vector<GradientHooks> output_hooks_;
  uint64_t sequence_;
  bool released_ = false;
};

// Gradient metadata of one tensor. Leaves have grad and hooks; results of ops have node.
struct AutogradMeta {
  bool requires_grad = false;
  Tensor grad;
  GradientHooks hooks;
  std::shared_ptr<Node> node;
  int output_index = 0;
  std::weak_ptr<Node> accumulator;  // of a leaf
};

bool grad_enabled();

// While it lives, autograd does not follow the ops of this thread.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool before_;
};

// Whether autograd follows an op on these. Undefined tensors are allowed.
bool needs_grad(std::initializer_list<Tensor> inputs);
bool needs_grad(std::span<const Tensor> inputs);

// What every change in place checks: autograd, which would miss it, does not follow the tensor, and
// no two of its elements are one (as expand makes them), which would be changed twice.
void check_in_place(const char* op, const Tensor& tensor);

// Makes `node` the maker of `outputs` from `inputs` (undefined ones are allowed, and get no
// gradient). Outputs are tensors that autograd does not follow yet; throws Error otherwise.
void attach(std::shared_ptr<Node> node, std::vector<Tensor> inputs, std::vector<Tensor> outputs);

struct BackwardOptions {
  bool retain_graph = false;  // otherwise saved tensors are freed as they are used
};

// Accumulates d(sum of outputs * grad_outputs)/d(leaf) into every leaf's grad.
void backward(std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs,
              const BackwardOptions& options = {});

// The gradients to `inputs`, returned instead of accumulated; zero-filled where there is no path.
// Autograd does not follow how they were made, so a loss of them has no gradient (torch's
// create_graph is not there). Nothing that does not lead to `inputs` is computed.
std::vector<Tensor> gradients(std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs,
                              std::span<const Tensor> inputs, const BackwardOptions& options = {});

}  // namespace gestalt
