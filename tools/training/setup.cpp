#include "tools/training/setup.h"

#include <filesystem>
#include <spdlog/fmt/fmt.h>
#include <tuple>

#include "kernels/error.h"
#include "models/registry.h"
#include "nn/dropout.h"
#include "nn/weight_format.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tensor/autograd.h"
#include "tensor/graph.h"
#include "tools/common/passed_over.h"
#include "tools/common/weights.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

// What was taken, as a line for the log.
std::string load_pretrained(nn::Module& network, const std::string& path) {
  const StateDict weights = read_weights(path);
  const StateDictReport report = network.load_state_dict(weights, false);
  // Not all that is not missing was taken: a file may lack what is optional.
  const size_t taken = weights.size() - report.unexpected.size() - report.mismatched.size();
  GESTALT_CHECK(taken > 0, "'{}' has no weights of this network: none of its {} tensors fits", path,
                weights.size());
  return format("{}: {} of {} tensors taken{}", path, taken, network.state_dict().size(),
                to_string(report));
}

// A size that the network can't take shows in its first forward at the latest.
void try_forward(nn::Module& network, const TrainSettings& settings) {
  const NoGradGuard no_grad;
  network.eval();
  try {
    network(Tensor::zeros({1, 3, settings.image_size, settings.image_size}));
  } catch (const Error& error) {
    throw Error(
        format("{} with --image_size {}: {}", settings.model, settings.image_size, error.what()));
  }
  network.train();
}

void check_has_each_class(const data::ImageSource& set, const std::string& name,
                          double val_fraction) {
  const data::ImageIndex& index = set.index();
  std::vector<bool> found(index.classes.size());
  for (const int64_t label : index.labels) found[static_cast<size_t>(label)] = true;
  for (size_t label = 0; label < found.size(); ++label) {
    GESTALT_CHECK(found[label], "--val_fraction {} leaves no image of the class '{}' in {}",
                  val_fraction, index.classes[label], name);
  }
}

// Else an evaluation set would fail after the first epoch.
void check_some_image(const data::ImageSource& set) {
  std::string first;
  for (int64_t i = 0; i < set.size(); ++i) {
    try {
      set.read(i);
      return;
    } catch (const Error& error) {
      if (first.empty()) first = error.what();
    }
  }
  throw Error(format("'{}': none of the images can be read; the first: {}", set.location(), first));
}

// FOLDER/train, or FOLDER/train.packed where that is not there.
fs::path part_of(const fs::path& folder, const std::string& name) {
  const fs::path packed = folder / (name + ".packed");
  return !fs::exists(folder / name) && fs::exists(packed) ? packed : folder / name;
}

}  // namespace

Sets open_sets(const TrainSettings& settings) {
  Sets sets;
  const fs::path folder = settings.data_folder;
  data::ImageSourcePtr val;
  if (settings.val_fraction > 0) {
    std::tie(sets.train, val) = data::split_by_class(data::open_dataset(folder),
                                                     settings.val_fraction, settings.split_seed);
    check_has_each_class(*sets.train, "train", settings.val_fraction);
    check_has_each_class(*val, "val", settings.val_fraction);
  } else {
    const fs::path train = part_of(folder, "train");
    const bool has_train = settings.evaluate.empty() || fs::exists(train);
    if (has_train) sets.train = data::open_dataset(train);
    val = data::open_dataset(part_of(folder, "val"));
  }
  const auto add = [&](const std::string& name, const data::ImageSourcePtr& set) {
    sets.names.push_back(name);
    sets.evaluation.push_back(set);
    data::check_same_classes(sets.of_classes(), *set);
  };
  add("val", val);
  for (const NamedFolder& each : evaluation_folders(settings)) {
    add(each.name, data::open_dataset(each.path));
  }
  std::vector<const data::ImageSource*> all;
  if (sets.train) all.push_back(sets.train.get());
  for (const data::ImageSourcePtr& set : sets.evaluation) all.push_back(set.get());
  for (const data::ImageSource* set : all) check_some_image(*set);
  sets.passed_over = passed_over(all);
  return sets;
}

ClassifierNetwork make_network(const TrainSettings& settings, const CommonOptions& common,
                               const data::ImageSource& images) {
  const auto classes = static_cast<int64_t>(images.index().classes.size());
  auto network = models::make_model(
      settings.model, {classes, settings.image_size, settings.stem_stride}, common.seed);
  int64_t values = 0;
  for (const Tensor& parameter : network->parameters()) values += parameter.numel();
  std::vector<std::string> lines;
  lines.push_back(format("{}: {} parameters, {} classes, {} images on {}", settings.model, values,
                         classes, images.size(), to_string(default_device())));
  if (!settings.pretrained.empty()) {
    lines.push_back(load_pretrained(*network, settings.pretrained));
  }
  for (const TopKLevel& level : parse_topk(settings.topk, settings.model)) {
    models::insert_topk(*network, std::vector{level.place}, level.fraction, settings.topk_mode);
    lines.push_back(fmt::format("Top-K after {}: {:g} %, {}", level.place, 100 * level.fraction,
                                name_of(trained_topk_names, settings.topk_mode)));
  }
  nn::set_weight_format(*network, image_format(settings));
  try_forward(*network, settings);
  return {network, lines};
}

void check_last_batch(nn::Module& network, const TrainSettings& settings, int64_t images) {
  if (settings.batch_size > 1 && images % settings.batch_size != 1) return;
  const NoGradGuard no_grad;
  StateDict buffers;  // running statistics move
  for (const nn::Module::Named& entry : network.named_buffers()) {
    buffers.push_back({entry.name, entry.tensor->clone()});
  }
  try {
    network(Tensor::zeros({1, 3, settings.image_size, settings.image_size}));
  } catch (const Error& error) {
    throw Error(
        format("--batch_size {} leaves one of {} images for the last step of an epoch, "
               "which {} with --image_size {} can't train on: {}",
               settings.batch_size, images, settings.model, settings.image_size, error.what()));
  }
  network.load_state_dict(buffers, false);
}

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainSettings& settings,
                                                 std::vector<Tensor> parameters) {
  if (settings.optimizer == Optimizer::sgd) {
    return std::make_unique<optim::Sgd>(std::move(parameters),
                                        optim::SgdOptions{.learning_rate = settings.learning_rate,
                                                          .momentum = settings.momentum,
                                                          .weight_decay = settings.weight_decay});
  }
  return std::make_unique<optim::Adam>(
      std::move(parameters),
      optim::AdamOptions{.learning_rate = settings.learning_rate,
                         .weight_decay = settings.weight_decay,
                         .decoupled_weight_decay = settings.optimizer == Optimizer::adamw});
}

ClassifierStepOptions step_options(const TrainSettings& settings, nn::Module& network) {
  const bool dropout = nn::has_dropout(network);
  GESTALT_CHECK(settings.capture != Choice::on || !dropout,
                "--capture on does not go with {}: it has dropout, whose random numbers the host "
                "counts",
                settings.model);
  return {.batch_size = settings.batch_size,
          .label_smoothing = settings.label_smoothing,
          .dtype = settings.dtype,
          .format = image_format(settings),
          .capture = is_on(settings.capture, capture_pays(default_device()) && !dropout)};
}

}  // namespace gestalt::tools
