#include <algorithm>
#include <memory>

#include "bench/classifier_training.h"
#include "bench/gpu/cases.h"
#include "bench/replayed.h"
#include "bench/texture_step.h"
#include "bench/vgg_layers.h"
#include "models/registry.h"

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

std::function<void()> texture_step(const Case& c, Device device) {
  models::SynthesisOptions options;
  options.fraction = c.fraction;
  options.format = c.format;
  const auto step = std::make_shared<TextureStep>(c.shape, options, device);
  return [step] { (*step)(); };
}

// One step of SGD on a batch of f32 images, as train_classifier takes it, captured or not; in bf16,
// mixed precision.
std::function<void()> training_step(const Case& c, const std::string& model, Device device,
                                    bool captured) {
  const std::shared_ptr<nn::Module> network = models::make_model(model);
  network->to(device);
  const auto training = std::make_shared<ClassifierTraining>(
      network, random_input(c, device).to(DType::f32),
      optim::SgdOptions{.learning_rate = 1e-3, .momentum = 0.9},
      tools::ClassifierStepOptions{
          .batch_size = c.shape[0], .dtype = c.dtype, .format = c.format, .capture = captured});
  return [training] { (*training)(); };
}

// Adds the case, and the same work as a captured graph.
void add_with_graph(std::vector<Case>& cases, Case c,
                    const std::function<std::function<void()>(const Case&, bool captured)>& make) {
  for (const bool captured : {false, true}) {
    if (captured) c.operation += "_graph";
    c.prepare = [c, make, captured] { return make(c, captured); };
    cases.push_back(c);
  }
}

}  // namespace

std::vector<Case> network_cases(Device device) {
  std::vector<Case> cases;
  const int64_t side = device.is_cuda() ? 256 : 32;
  for (const int64_t images : {1, 16}) {
    for (const Format format : {Format::contiguous, Format::channels_last}) {
      Case c{.operation = "texture",
             .format = format,
             .shape = {images, 3, side, side},
             .fraction = 0.05,
             .prepare = {}};
      c.operations = texture_operations(c.shape);
      add_with_graph(cases, c, [device](const Case& made, bool captured) {
        const auto step = texture_step(made, device);
        return captured ? replayed(device, step) : step;
      });
    }
  }
  const std::vector<std::string> names = models::model_names();
  if (std::find(names.begin(), names.end(), "resnet18") != names.end()) {
    const int64_t size = device.is_cuda() ? 224 : 32, batch = device.is_cuda() ? 128 : 2;
    Case c{.operation = "resnet18_step", .shape = {batch, 3, size, size}, .prepare = {}};
    // 1.82 G multiplications and additions an image of 224x224; backward costs twice the forward.
    c.operations = 3 * 2 * 1.82e9 * static_cast<double>(batch * size * size) / (224.0 * 224.0);
    const auto make = [device](const Case& made, bool captured) {
      return training_step(made, "resnet18", device, captured);
    };
    add_with_graph(cases, c, make);
    c.dtype = DType::bf16;
    c.format = Format::channels_last;
    add_with_graph(cases, c, make);
  }
  return cases;
}

}  // namespace gestalt::bench
