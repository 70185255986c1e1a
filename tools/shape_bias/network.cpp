#include "tools/shape_bias/network.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/error.h"
#include "models/registry.h"
#include "nn/init.h"
#include "tensor/context.h"
#include "tools/common/config.h"
#include "tools/common/not_finite.h"
#include "tools/common/weights.h"

namespace gestalt::tools {
namespace {

using nlohmann::json;

models::ModelOptions options_of(const NetworkSettings& settings) {
  models::ModelOptions options;
  options.image_size = settings.image_size.value_or(options.image_size);
  options.stem_stride = settings.stem_stride.value_or(options.stem_stride);
  return options;
}

std::shared_ptr<nn::Module> load_network(const NetworkSettings& settings) {
  const StateDict weights = read_weights(settings.weights);
  try {
    const nn::SkipInitGuard skip_init;
    models::ModelOptions options = options_of(settings);
    // Where the last layer is missing, loading says so.
    options.classes =
        models::classes_of(models::find_model(settings.model), weights).value_or(options.classes);
    auto network = models::make_model(settings.model, options);
    network->load_state_dict(weights);
    return network;
  } catch (const Error& error) {
    throw Error(format("'{}' for {}: {}", settings.weights, settings.model, error.what()));
  }
}

}  // namespace

void fill_in(NetworkSettings& settings) {
  json trained = json::object();
  if (!settings.untrained) {
    const auto folder = std::filesystem::path(settings.weights).parent_path();
    const json found = settings_of_config(folder, "train_classifier");
    if (found.is_object() && found.value("model", json()) == settings.model) trained = found;
  }
  const auto fill = [&](std::optional<int64_t>& value, const char* key, int64_t otherwise) {
    if (value) return;
    const json known = trained.value(key, json());
    value = known.is_number_integer() ? known.get<int64_t>() : otherwise;
  };
  const models::ModelOptions defaults;
  fill(settings.stem_stride, "stem_stride", defaults.stem_stride);
  fill(settings.image_size, "image_size", defaults.image_size);
}

std::shared_ptr<nn::Module> make_network(const NetworkSettings& settings) {
  const std::shared_ptr<nn::Module> network =
      settings.untrained ? models::make_model(settings.model, options_of(settings), settings.seed)
                         : load_network(settings);
  network->eval();
  network->set_requires_grad(false);
  network->to(default_device());
  if (!settings.untrained) check_finite(network->state_dict(), settings.weights);
  return network;
}

}  // namespace gestalt::tools
