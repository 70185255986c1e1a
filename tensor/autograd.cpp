#include "tensor/autograd.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "kernels/error.h"
#include "kernels/table.h"

namespace gestalt {
namespace {

std::atomic<uint64_t> next_sequence = 0;
// Ops are numbered above all leaves, so that a leaf is reached when its gradient is whole.
constexpr uint64_t first_op_sequence = uint64_t{1} << 63;
thread_local bool grad_mode = true;

// Whether it can be given away: nobody else writes into it, and it is all of its memory, of which
// who keeps a part would keep the rest for nothing, such as the other tensors of a cat.
bool is_its_own(const Tensor& x) {
  return x.is_sole_owner() && x.is_dense() &&
         static_cast<int64_t>(x.storage()->bytes()) == x.numel() * size_of(x.dtype());
}

// Ends every path at a leaf: adds to its grad.
class AccumulateNode : public Node {
 public:
  explicit AccumulateNode(Tensor leaf) : Node(next_sequence++), leaf_(std::move(leaf)) {}
  const char* name() const override { return "accumulate"; }

  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    AutogradMeta& meta = leaf_.ensure_autograd();
    const Tensor& grad = grad_outputs[0];
    GESTALT_CHECK(grad.dtype() == leaf_.dtype() && grad.device() == leaf_.device(),
                  "[backward] a leaf {} on {} had another dtype or device in the forward pass: its "
                  "gradient is {} on {}",
                  leaf_, leaf_.device(), grad, grad.device());
    const std::lock_guard lock(mutex_);
    if (!meta.grad.defined()) {
      meta.grad = is_its_own(grad) ? grad : grad.clone();
      return {};
    }
    const Tensor apart = apart_from(grad, meta.grad);
    Context& ctx = context(grad.device());
    ctx.kernels().add(ctx, meta.grad.view(), apart.view(), meta.grad.view());
    meta.grad.bump_version();
    return {};
  }

  const GradientHooks& hooks() const { return leaf_.ensure_autograd().hooks; }

 private:
  Tensor leaf_;
  std::mutex mutex_;  // graphs of several threads may end here
};

Edge edge_of(const Tensor& tensor) {
  if (!tensor.defined() || !tensor.requires_grad()) return {};
  AutogradMeta& meta = tensor.ensure_autograd();
  if (meta.node) return {meta.node, meta.output_index};
  // Several threads may use one network; what is guarded takes a moment.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Node> accumulator = meta.accumulator.lock();
  if (!accumulator) {
    accumulator = std::make_shared<AccumulateNode>(tensor);
    meta.accumulator = accumulator;
  }
  return {std::move(accumulator), 0};
}

void add_to(Tensor& sum, const Tensor& grad) {
  if (!sum.defined()) {
    sum = grad;
    return;
  }
  const bool in_place = sum.is_sole_owner() && sum.is_dense();
  Tensor out = in_place ? sum : Tensor::empty(sum.shape(), sum.options());
  Context& ctx = context(sum.device());
  ctx.kernels().add(ctx, sum.view(), grad.view(), out.view());
  out.bump_version();
  sum = std::move(out);
}

}  // namespace

// ---- nodes ----

Node::Node() : Node(0) {}
Node::Node(uint64_t sequence) : sequence_(sequence) {}

// Frees the chain behind this node in a loop: a long graph must not recurse.
Node::~Node() {
  thread_local std::vector<std::shared_ptr<Node>>* draining = nullptr;
  std::vector<std::shared_ptr<Node>> local;
  std::vector<std::shared_ptr<Node>>& pending = draining != nullptr ? *draining : local;
  for (Edge& edge : edges_) {
    if (edge.node) pending.push_back(std::move(edge.node));
  }
  if (draining != nullptr) return;
  draining = &local;
  while (!local.empty()) {
    const std::shared_ptr<Node> last = std::move(local.back());
    local.pop_back();
  }
  draining = nullptr;
}

void Node::save(const char* name, const Tensor& tensor) {
  saved_.push_back({name, tensor.defined() ? tensor.detach() : Tensor(),
                    tensor.defined() ? tensor.version() : 0});
}

const Tensor& Node::saved(const char* name) const {
  GESTALT_CHECK(!released_,
                "[{}] backward a second time through a graph that was freed; the first one needs "
                "BackwardOptions{.retain_graph = true}",
                this->name());
  for (const Saved& entry : saved_) {
    if (std::strcmp(entry.name, name) != 0) continue;
    GESTALT_CHECK(!entry.tensor.defined() || entry.tensor.version() == entry.version,
                  "[{}] saved tensor '{}' {} was changed in place before backward", this->name(),
                  name, entry.tensor);
    return entry.tensor;
  }
  throw Error(format("[{}] no saved tensor '{}'", this->name(), name));
}

void Node::release_saved() {
  if (!saved_.empty()) released_ = true;
  saved_.clear();
}

// ---- what is followed ----

bool grad_enabled() {
  return grad_mode;
}

NoGradGuard::NoGradGuard() : before_(grad_mode) {
  grad_mode = false;
}
NoGradGuard::~NoGradGuard() {
  grad_mode = before_;
}

bool needs_grad(std::span<const Tensor> inputs) {
  return grad_mode && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& tensor) {
           return tensor.defined() && tensor.requires_grad();
         });
}

bool needs_grad(std::initializer_list<Tensor> inputs) {
  return needs_grad(std::span(inputs.begin(), inputs.size()));
}

void check_in_place(const char* op, const Tensor& tensor) {
  GESTALT_CHECK(!(grad_enabled() && tensor.requires_grad()),
                "[{}] in-place change of {}, which autograd follows; use NoGradGuard or detach()",
                op, tensor);
  for (int dim = 0; dim < tensor.shape().rank(); ++dim) {
    GESTALT_CHECK(tensor.shape()[dim] <= 1 || tensor.strides()[dim] != 0,
                  "[{}] in-place change of {}, whose elements along dimension {} are one (stride "
                  "0); clone() it first",
                  op, tensor, dim);
  }
}

void attach(std::shared_ptr<Node> node, std::vector<Tensor> inputs, std::vector<Tensor> outputs) {
  for (const Tensor& output : outputs) {
    GESTALT_CHECK(!output.requires_grad(),
                  "[{}] output {} is followed by autograd already (an input given on as it is?)",
                  node->name(), output);
  }
  // Numbered here, not when it is made: its inputs' makers may have been made in between.
  node->sequence_ = first_op_sequence + next_sequence++;
  for (const Tensor& input : inputs) {
    node->edges_.push_back(edge_of(input));
    node->input_kinds_.push_back(node->edges_.back().node
                                     ? Node::Kind{input.shape(), input.dtype(), input.device()}
                                     : Node::Kind{});
  }
  node->output_hooks_.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    AutogradMeta& meta = outputs[i].ensure_autograd();
    meta.node = node;
    meta.output_index = static_cast<int>(i);
  }
}

// ---- the engine ----

// Walks the nodes from the newest to the oldest: a node's makers are always older than itself, so a
// heap on the sequence number is a topological order, and a deterministic one.
class Engine {
 public:
  Engine(const BackwardOptions& options, std::span<const Tensor> inputs) : options_(options) {
    for (const Tensor& input : inputs) {
      const Edge edge = edge_of(input);
      captures_.push_back({edge, {}});
      if (edge.node) captured_nodes_.insert(edge.node.get());
    }
  }

  void seed(const Tensor& output, const Tensor& grad) {
    GESTALT_CHECK(output.defined() && output.requires_grad(),
                  "[backward] output {} does not depend on anything that requires a gradient",
                  output);
    GESTALT_CHECK(grad.defined() && grad.shape() == output.shape(),
                  "[backward] the gradient of {} has another shape: {}", output, grad);
    GESTALT_CHECK(
        grad.dtype() == output.dtype() && grad.device() == output.device(),
        "[backward] the gradient of {} on {} must be of its dtype and device, is {} on {}", output,
        output.device(), grad, grad.device());
    roots_.push_back(edge_of(output));
    push(roots_.back(), grad);
  }

  void run() {
    const NoGradGuard no_grad;
    if (!captures_.empty()) find_paths();
    while (!ready_.empty()) {
      const std::shared_ptr<Node> node = ready_.top();
      ready_.pop();
      auto entry = grads_.extract(node.get());
      std::vector<Tensor> grad_outputs = std::move(entry.mapped());
      run_hooks(*node, grad_outputs);
      if (capture(*node, grad_outputs)) continue;
      step(*node, std::move(grad_outputs));
    }
  }

  std::vector<Tensor> captured() {
    std::vector<Tensor> grads;
    for (Capture& entry : captures_) {
      const bool is_shared = entry.grad.defined() && !is_its_own(entry.grad);
      grads.push_back(is_shared ? entry.grad.clone() : std::move(entry.grad));
    }
    return grads;
  }

 private:
  struct Older {
    bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
      return a->sequence() < b->sequence();
    }
  };
  struct Capture {
    Edge edge;
    Tensor grad;
  };

  void push(const Edge& edge, const Tensor& grad) {
    std::vector<Tensor>& slots = grads_[edge.node.get()];
    if (slots.empty()) {
      slots.resize(std::max(edge.node->outputs(), 1));
      ready_.push(edge.node);
    }
    add_to(slots[edge.index], grad);
  }

  // Which nodes lead to a captured one; others are skipped.
  void find_paths() {
    std::unordered_map<const Node*, std::vector<const Node*>> users_of;
    std::unordered_set<const Node*> seen;
    std::vector<const Node*> stack;
    for (const Edge& root : roots_) stack.push_back(root.node.get());
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!seen.insert(node).second) continue;
      for (const Edge& edge : node->edges()) {
        if (!edge.node) continue;
        users_of[edge.node.get()].push_back(node);
        stack.push_back(edge.node.get());
      }
    }
    for (const Node* node : captured_nodes_) {
      if (seen.contains(node)) stack.push_back(node);
    }
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!useful_.insert(node).second) continue;
      for (const Node* user : users_of[node]) stack.push_back(user);
    }
  }

  bool is_useful(const Edge& edge) const {
    return edge.node && (captures_.empty() || useful_.contains(edge.node.get()));
  }

  void run_hooks(Node& node, std::vector<Tensor>& grads) {
    const auto apply = [&node](Tensor& grad, const GradientHooks& hooks) {
      for (const Tensor::Hook& hook : hooks) {
        if (!grad.defined()) return;
        const Tensor replaced = hook(grad);
        if (!replaced.defined()) continue;
        GESTALT_CHECK(replaced.shape() == grad.shape() && replaced.dtype() == grad.dtype() &&
                          replaced.device() == grad.device(),
                      "[{}] a hook replaced the gradient {} on {} by {} on {}", node.name(), grad,
                      grad.device(), replaced, replaced.device());
        grad = replaced;
      }
    };
    if (auto* leaf = dynamic_cast<AccumulateNode*>(&node)) apply(grads[0], leaf->hooks());
    for (size_t i = 0; i < node.output_hooks_.size(); ++i) apply(grads[i], node.output_hooks_[i]);
  }

  // Stores what was asked for. True where the walk ends here.
  bool capture(const Node& node, const std::vector<Tensor>& grads) {
    if (captures_.empty()) return false;
    if (captured_nodes_.contains(&node)) {
      for (Capture& entry : captures_) {
        if (entry.edge.node.get() == &node) entry.grad = grads[entry.edge.index];
      }
    }
    const auto leads_on = [this](const Edge& edge) { return is_useful(edge); };
    return std::none_of(node.edges().begin(), node.edges().end(), leads_on);
  }

  void step(Node& node, std::vector<Tensor> grad_outputs) {
    std::vector<bool> needs;
    for (const Edge& edge : node.edges()) needs.push_back(is_useful(edge));
    std::vector<Tensor> grad_inputs = node.backward(grad_outputs, NeedsGrad(needs));
    grad_outputs.clear();
    if (!options_.retain_graph) node.release_saved();
    GESTALT_CHECK(grad_inputs.size() == node.edges().size(),
                  "[{}] backward returned {} gradients for {} inputs", node.name(),
                  grad_inputs.size(), node.edges().size());
    for (size_t i = 0; i < grad_inputs.size(); ++i) {
      if (needs[i] && grad_inputs[i].defined()) {
        Tensor grad = std::move(grad_inputs[i]);
        check_fits(node, i, grad);
        push(node.edges()[i], grad);
      }
    }
  }

  static void check_fits(const Node& node, size_t input, const Tensor& grad) {
    const Node::Kind& kind = node.input_kinds_[input];
    GESTALT_CHECK(
        grad.shape() == kind.shape && grad.dtype() == kind.dtype && grad.device() == kind.device,
        "[{}] backward returned {} on {} for input {}, which is {}{} on {}", node.name(), grad,
        grad.device(), input, kind.dtype, kind.shape, kind.device);
  }

  BackwardOptions options_;
  std::vector<Edge> roots_;
  std::vector<Capture> captures_;
  std::unordered_set<const Node*> captured_nodes_;
  std::unordered_set<const Node*> useful_;
  std::unordered_map<const Node*, std::vector<Tensor>> grads_;
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, Older> ready_;
};

void backward(std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs,
              const BackwardOptions& options) {
  GESTALT_CHECK(outputs.size() == grad_outputs.size(),
                "[backward] expected a gradient for each of {} outputs, got {}", outputs.size(),
                grad_outputs.size());
  Engine engine(options, {});
  for (size_t i = 0; i < outputs.size(); ++i) engine.seed(outputs[i], grad_outputs[i]);
  engine.run();
}

std::vector<Tensor> gradients(std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs,
                              std::span<const Tensor> inputs, const BackwardOptions& options) {
  GESTALT_CHECK(outputs.size() == grad_outputs.size(),
                "[gradients] expected a gradient for each of {} outputs, got {}", outputs.size(),
                grad_outputs.size());
  for (const Tensor& input : inputs) {
    GESTALT_CHECK(input.defined() && input.requires_grad(),
                  "[gradients] input {} does not require a gradient", input);
  }
  Engine engine(options, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) engine.seed(outputs[i], grad_outputs[i]);
  engine.run();
  std::vector<Tensor> grads = engine.captured();
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined()) grads[i] = Tensor::zeros(inputs[i].shape(), inputs[i].options());
  }
  return grads;
}

}  // namespace gestalt
