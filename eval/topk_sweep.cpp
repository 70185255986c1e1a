#include "eval/topk_sweep.h"

#include <algorithm>

#include "kernels/error.h"
#include "nn/sequential.h"
#include "tensor/ops/shape.h"

namespace gestalt::eval {
namespace {

// The outermost module around `place` whose forward may be more than a chain of its children; null
// where there is none. The network itself is a chain.
nn::Module* branching_module_around(nn::Module& network, const std::string& place) {
  for (size_t dot = place.find('.'); dot != std::string::npos; dot = place.find('.', dot + 1)) {
    nn::Module& module = network.find(place.substr(0, dot));
    if (dynamic_cast<nn::Sequential*>(&module) == nullptr) return &module;
  }
  return nullptr;
}

}  // namespace

// What the layers of one network share.
struct TopKSweep::State {
  nn::TopKMethod method = nn::TopKMethod::keep;
  std::vector<std::shared_ptr<nn::TopK>> sparsities;
  std::vector<std::string> active;
  // In this pass: the batch holds every sparsity already; an active place was reached.
  bool repeated = false, reached = false;

  bool is_active(const std::string& place) const {
    return std::find(active.begin(), active.end(), place) != active.end();
  }

  Tensor repeat(const Tensor& x) {
    if (repeated) return x;
    repeated = true;
    return sparsities.size() == 1 ? x : cat(std::vector(sparsities.size(), x), 0);
  }

  Tensor apply(const Tensor& x) {
    const auto count = static_cast<int64_t>(sparsities.size());
    const int64_t images = repeated ? x.size(0) / count : x.size(0);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < count; ++i) {
      const Tensor part = repeated ? narrow(x, 0, i * images, images) : x;
      parts.push_back((*sparsities[i])(part));
    }
    repeated = reached = true;
    return count == 1 ? parts.front() : cat(parts, 0);
  }
};

class TopKSweep::Layer : public nn::Module {
 public:
  Layer(std::string place, std::shared_ptr<State> state)
      : place_(std::move(place)), state_(std::move(state)) {}

  Tensor forward(const Tensor& x) override {
    if (!state_->is_active(place_)) return x;
    GESTALT_CHECK(x.rank() == 4, "Top-K after '{}' expects [N,C,H,W], got {}", place_, x);
    return state_->apply(x);
  }

 private:
  std::string place_;
  std::shared_ptr<State> state_;
};

TopKSweep::TopKSweep(std::shared_ptr<nn::Module> network, const std::vector<std::string>& places,
                     nn::TopKMethod method)
    : network_(std::move(network)), state_(std::make_shared<State>()) {
  GESTALT_CHECK(!places.empty(), "no layers are given for Top-K");
  state_->method = method;
  for (const std::string& place : places) {
    if (nn::Module* around = branching_module_around(*network_, place)) {
      around->register_forward_pre_hook([place, state = state_](const Tensor& x) {
        return state->is_active(place) ? state->repeat(x) : Tensor();
      });
    }
    nn::insert_after(*network_, place, std::make_shared<Layer>(place, state_));
  }
  activate(places);
  set_fractions({1});
}

TopKSweep::~TopKSweep() = default;

void TopKSweep::activate(std::span<const std::string> places) {
  state_->active.assign(places.begin(), places.end());
}

void TopKSweep::set_fractions(const std::vector<double>& fractions) {
  GESTALT_CHECK(!fractions.empty(), "no fractions are given for Top-K");
  std::vector<std::shared_ptr<nn::TopK>> sparsities;
  for (const double fraction : fractions) {
    sparsities.push_back(std::make_shared<nn::TopK>(fraction, state_->method));
  }
  state_->sparsities = std::move(sparsities);
}

std::vector<Tensor> TopKSweep::operator()(const Tensor& images) {
  state_->repeated = state_->reached = false;
  const Tensor logits = (*network_)(images);
  GESTALT_CHECK(state_->reached, "no layer with Top-K was reached");
  std::vector<Tensor> parts;
  for (size_t i = 0; i < state_->sparsities.size(); ++i) {
    parts.push_back(narrow(logits, 0, static_cast<int64_t>(i) * images.size(0), images.size(0)));
  }
  return parts;
}

}  // namespace gestalt::eval
