#include "eval/topk_sweep.h"

#include <algorithm>

#include "kernels/error.h"
#include "nn/sequential.h"
#include "nn/topk.h"
#include "tensor/ops/shape.h"

namespace gestalt::eval {

// What the layers of one network share.
struct TopKSweep::State {
  TopKMode mode = TopKMode::keep;
  std::vector<double> fractions = {1};
  std::vector<std::string> active;
  bool repeated = false;  // in this pass the batch holds every fraction already

  bool is_active(const std::string& place) const {
    return std::find(active.begin(), active.end(), place) != active.end();
  }
};

class TopKSweep::Layer : public nn::Module {
 public:
  Layer(std::string place, std::shared_ptr<State> state)
      : place_(std::move(place)), state_(std::move(state)) {}

  Tensor forward(const Tensor& x) override {
    if (!state_->is_active(place_)) return x;
    GESTALT_CHECK(x.rank() == 4, "Top-K after '{}' expects [N,C,H,W], got {}", place_, x);
    const auto count = static_cast<int64_t>(state_->fractions.size());
    const int64_t images = state_->repeated ? x.size(0) / count : x.size(0);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < count; ++i) {
      const Tensor part = state_->repeated ? narrow(x, 0, i * images, images) : x;
      parts.push_back(nn::topk(part, state_->fractions[i], state_->mode));
    }
    state_->repeated = true;
    return count == 1 ? parts.front() : cat(parts, 0);
  }

 private:
  std::string place_;
  std::shared_ptr<State> state_;
};

TopKSweep::TopKSweep(std::shared_ptr<nn::Module> network, const std::vector<std::string>& places,
                     TopKMode mode)
    : network_(std::move(network)), state_(std::make_shared<State>()) {
  GESTALT_CHECK(!places.empty(), "no layers are given for Top-K");
  state_->mode = mode;
  for (const std::string& place : places) {
    nn::insert_after(*network_, place, std::make_shared<Layer>(place, state_));
  }
  activate(places);
}

TopKSweep::~TopKSweep() = default;

void TopKSweep::activate(std::span<const std::string> places) {
  state_->active.assign(places.begin(), places.end());
}

void TopKSweep::set_fractions(const std::vector<double>& fractions) {
  GESTALT_CHECK(!fractions.empty(), "no fractions are given for Top-K");
  for (const double fraction : fractions) {
    GESTALT_CHECK(fraction > 0 && fraction <= 1,
                  "Top-K keeps a fraction above 0 and up to 1, not {}", fraction);
  }
  state_->fractions = fractions;
}

std::vector<Tensor> TopKSweep::operator()(const Tensor& images) {
  state_->repeated = false;
  const Tensor logits = (*network_)(images);
  GESTALT_CHECK(state_->repeated, "no layer with Top-K was reached");
  std::vector<Tensor> parts;
  for (size_t i = 0; i < state_->fractions.size(); ++i) {
    parts.push_back(narrow(logits, 0, static_cast<int64_t>(i) * images.size(0), images.size(0)));
  }
  return parts;
}

}  // namespace gestalt::eval
