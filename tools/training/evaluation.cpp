#include "tools/training/evaluation.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "data/loader.h"
#include "eval/csv.h"
#include "kernels/error.h"
#include "nn/autocast.h"
#include "nn/loss.h"
#include "tensor/autograd.h"
#include "tensor/ops/reduce.h"
#include "tools/common/config.h"
#include "tools/common/file_hash.h"
#include "tools/common/image_hash.h"
#include "tools/common/not_finite.h"
#include "tools/common/output.h"
#include "tools/common/weights.h"
#include "tools/training/setup.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

fs::path folder_of_weights(const TrainSettings& settings) {
  return fs::path(settings.evaluate).parent_path();
}

// Of the run that the weights are of; null where that is not known.
nlohmann::json settings_of_weights(const TrainSettings& settings) {
  return settings_of_config(folder_of_weights(settings), "train_classifier");
}

bool hold_out(const nlohmann::json& run, const TrainSettings& settings) {
  return run.value("val_fraction", 0.0) > 0 && settings.val_fraction > 0;
}

// What the weights of a run depend on, and which images it was not trained on, must be what they
// were in the run, where that is known.
void check_settings_of_run(const TrainSettings& settings, const CommonOptions& common) {
  const nlohmann::json run = settings_of_weights(settings);
  if (run.is_null()) return;  // weights from elsewhere
  check_split_rule("--evaluate", run, settings);
  std::vector<const char*> keys = {"model", "stem_stride", "image_size", "topk", "topk_mode"};
  if (hold_out(run, settings)) keys.insert(keys.end(), {"val_fraction", "split_seed"});
  const nlohmann::json all = to_json(settings, common);
  nlohmann::json same;
  for (const char* key : keys) same[key] = all[key];
  check_same_config("--evaluate", folder_of_weights(settings), same,
                    to_json(TrainSettings{}, CommonOptions{}));
}

// Else images that a run was trained on could pass for held-out ones.
void check_held_out(const TrainSettings& settings, const data::ImageSource& val) {
  const nlohmann::json run = settings_of_weights(settings);
  if (run.is_null() || !run.contains("images") || !run["images"].contains("val")) return;
  if (run["images"]["val"] == image_set(val, hash_listing(val))) return;
  GESTALT_CHECK(!hold_out(run, settings),
                "--evaluate: the images that are held out from '{}' are not those of the run: it "
                "may have been trained on some",
                settings.data_folder);
  fmt::print(stderr, "val: not the images that the run was evaluated on ('{}')\n", val.location());
}

void load_all_weights(nn::Module& network, const std::string& path) {
  const StateDict weights = read_weights(path);
  try {
    network.load_state_dict(weights);
  } catch (const Error& error) {
    throw Error(format("--evaluate: '{}': {}", path, error.what()));
  }
  check_finite(network.state_dict(), path);
}

// Elements that are the same in two i64 tensors of one shape. Waits for the device.
int64_t count_equal(const Tensor& a, const Tensor& b) {
  const std::vector<int64_t> x = a.to_vector<int64_t>(), y = b.to_vector<int64_t>();
  int64_t equal = 0;
  for (size_t i = 0; i < x.size(); ++i) equal += x[i] == y[i];
  return equal;
}

}  // namespace

EvaluationOptions evaluation_options(const TrainSettings& settings) {
  return {.image_size = settings.image_size,
          .batch_size = settings.batch_size,
          .workers = settings.workers,
          .dtype = settings.dtype,
          .format = image_format(settings)};
}

std::optional<EvaluatedSet> evaluate(nn::Module& network, const data::ImageSourcePtr& source,
                                     const EvaluationOptions& options,
                                     const std::function<bool()>& stopped) {
  const auto size = static_cast<int>(options.image_size);
  data::LoaderOptions loading;
  loading.sampler.batch_size = options.batch_size;
  loading.workers = options.workers;
  data::Loader loader(
      source, data::evaluation_transform({.resize = data::resize_before_crop(size), .crop = size}),
      loading);
  const NoGradGuard no_grad;
  const nn::AutocastGuard autocast(options.dtype);
  const bool was_training = network.is_training();
  network.eval();
  double loss = 0;
  int64_t correct = 0, images = 0;
  bool whole = true;
  while (const auto batch = loader.next()) {
    if (stopped()) {
      whole = false;
      break;
    }
    const Tensor logits = network(batch->images.contiguous(options.format));
    loss += nn::cross_entropy(logits, batch->labels, {.reduction = nn::Reduction::sum}).item();
    correct += count_equal(argmax(logits, 1), batch->labels);
    images += batch->images.size(0);
  }
  network.train(was_training);
  if (!whole) return std::nullopt;
  const auto count = static_cast<double>(images);
  return EvaluatedSet{
      {loss / count, static_cast<double>(correct) / count}, images, loader.unreadable()};
}

int run_evaluation(const TrainSettings& given, const CommonOptions& common) {
  TrainSettings settings = given;
  settings.pretrained.clear();  // a matter of training alone
  as_usage([&] { check_settings(settings); });
  check_settings_of_run(settings, common);
  const Sets sets = open_sets(settings);
  for (const std::string& line : sets.passed_over) fmt::print(stderr, "{}\n", line);
  check_held_out(settings, *sets.evaluation.front());
  const auto network = make_network(settings, common, sets.of_classes()).network;
  load_all_weights(*network, settings.evaluate);
  const fs::path folder = fs::path(settings.output) / settings.name;
  prepare_output_folder(folder, "train_classifier");

  // Which weights these are: several runs have a file of that name.
  const std::string weights =
      eval::csv_field(settings.evaluate) + ',' + sha256_of_file(settings.evaluate);
  std::string csv = "set,images,loss,accuracy,weights,weights_sha256\n";
  for (size_t i = 0; i < sets.names.size(); ++i) {
    // An interrupt ends this process at once: it has nothing to save.
    const EvaluatedSet set =
        *evaluate(*network, sets.evaluation[i], evaluation_options(settings), [] { return false; });
    for (const auto& [index, reason] : set.unreadable) {
      fmt::print(stderr, "skipped: {}\n", reason);
    }
    GESTALT_CHECK(std::isfinite(set.result.loss),
                  "'{}': the loss of {} is {}: the weights are out of bounds", settings.evaluate,
                  sets.evaluation[i]->location(), set.result.loss);
    fmt::print("{}: {:.2f} % of {} images, loss {:.4f}\n", sets.names[i], 100 * set.result.accuracy,
               set.images, set.result.loss);
    std::fflush(stdout);
    csv += fmt::format("{},{},{:.9g},{:.9g},{}\n", sets.names[i], set.images, set.result.loss,
                       set.result.accuracy, weights);
  }
  const std::string stem = fs::path(settings.evaluate).stem().string();
  write_text(folder / ("evaluation_" + stem + ".csv"), csv);
  return exit_done;
}

}  // namespace gestalt::tools
