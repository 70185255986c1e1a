#include <algorithm>
#include <memory>

#include "bench/gpu/cases.h"
#include "bench/vgg_layers.h"
#include "models/registry.h"
#include "models/synthesis.h"
#include "models/vgg.h"
#include "nn/autocast.h"
#include "nn/loss.h"
#include "nn/weight_format.h"
#include "optim/sgd.h"
#include "tensor/graph.h"
#include "tensor/ops/reduce.h"
#include "tensor/random.h"

namespace gestalt::bench {
namespace {

// Forward and the gradients to the inputs of VGG-19's convolutions to pool4.
double texture_operations(const Shape& images) {
  double sum = 0;
  for (const VggLayer& layer : vgg19_to_pool4) {
    const double side = static_cast<double>(layer.size * images[3]) / 256;
    sum += 2 * 9 * static_cast<double>(layer.inputs * layer.outputs) * side * side;
  }
  return 2 * sum * static_cast<double>(images[0]);
}

// One evaluation of texture synthesis with Top-K: the losses and their gradient to the images.
class TextureStep {
 public:
  TextureStep(const Case& c, Device device) {
    Generator generator(3);
    auto network = models::make_texture_vgg19(models::Pooling::average, generator);
    network->to(device);
    models::SynthesisOptions options;
    options.fraction = c.fraction;
    objective_ = std::make_unique<models::SynthesisLoss>(network, options, picture(c, device, 1));
    images_ = picture(c, device, 2);
    images_.set_requires_grad(true);
  }

  void operator()() {
    images_.set_grad({});
    sum((*objective_)(images_)).backward();
  }

 private:
  static Tensor picture(const Case& c, Device device, uint64_t seed) {
    return Generator(seed).normal(c.shape, 0, 50, {.device = device});
  }

  std::unique_ptr<models::SynthesisLoss> objective_;
  Tensor images_;
};

// One step of SGD on a batch of f32 images; in bf16, mixed precision. Weights have the images'
// layout. As train_classifier trains.
class TrainingStep {
 public:
  TrainingStep(const Case& c, const std::string& model, Device device)
      : dtype_(c.dtype),
        network_(models::make_model(model)),
        images_(random_input(c, device).to(DType::f32)),
        labels_(Tensor::zeros({c.shape[0]}, {.dtype = DType::i64, .device = device})) {
    network_->to(device);
    nn::set_weight_format(*network_, c.format);
    network_->train();
    optimizer_ = std::make_unique<optim::Sgd>(
        network_->parameters(), optim::SgdOptions{.learning_rate = 1e-3, .momentum = 0.9});
  }

  void operator()() {
    const nn::AutocastGuard autocast(dtype_);
    optimizer_->zero_grad();
    nn::cross_entropy(network_->forward(images_), labels_).backward();
    optimizer_->step();
  }

 private:
  DType dtype_;
  std::shared_ptr<nn::Module> network_;
  Tensor images_, labels_;
  std::unique_ptr<optim::Sgd> optimizer_;
};

// Adds the case, and the same work as a captured graph.
template <class Make>
void add_with_graph(std::vector<Case>& cases, Case c, Device device, const Make& make) {
  c.prepare = [c, make]() -> std::function<void()> { return [step = make(c)] { (*step)(); }; };
  cases.push_back(c);
  c.operation += "_graph";
  c.prepare = [c, make, device]() -> std::function<void()> {
    auto graph = std::make_shared<CapturedGraph>(device, [step = make(c)] { (*step)(); });
    return [graph] { graph->replay(); };
  };
  cases.push_back(c);
}

}  // namespace

std::vector<Case> network_cases(Device device) {
  std::vector<Case> cases;
  const int64_t side = device.is_cuda() ? 256 : 32;
  for (const int64_t images : {1, 16}) {
    Case c{
        .operation = "texture", .shape = {images, 3, side, side}, .fraction = 0.05, .prepare = {}};
    c.operations = texture_operations(c.shape);
    add_with_graph(cases, c, device, [device](const Case& made) {
      return std::make_shared<TextureStep>(made, device);
    });
  }
  const std::vector<std::string> names = models::model_names();
  if (std::find(names.begin(), names.end(), "resnet18") != names.end()) {
    const int64_t size = device.is_cuda() ? 224 : 32, batch = device.is_cuda() ? 128 : 2;
    Case c{.operation = "resnet18_step", .shape = {batch, 3, size, size}, .prepare = {}};
    // 1.82 G multiplications and additions an image of 224x224; backward costs twice the forward.
    c.operations = 3 * 2 * 1.82e9 * static_cast<double>(batch * size * size) / (224.0 * 224.0);
    const auto make = [device](const Case& made) {
      return std::make_shared<TrainingStep>(made, "resnet18", device);
    };
    add_with_graph(cases, c, device, make);
    c.dtype = DType::bf16;
    c.format = Format::channels_last;
    add_with_graph(cases, c, device, make);
  }
  return cases;
}

}  // namespace gestalt::bench
