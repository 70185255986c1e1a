#include "tools/fewshot/state.h"

#include <filesystem>

#include "kernels/error.h"
#include "models/fastgan_checkpoint.h"
#include "nn/weight_format.h"
#include "optim/state.h"
#include "tensor/io/safetensors.h"
#include "tools/fewshot/random.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* best_file = "best.safetensors";

models::FastGanOptions options_of(const FewshotSettings& settings) {
  models::FastGanOptions options = network_options(settings);
  options.format = nn::convolution_format(context(default_device()));
  return options;
}

}  // namespace

FewshotState::FewshotState(const RunFolder& folder, const FewshotSettings& settings, uint64_t seed)
    : folder_(folder),
      settings_(settings),
      seed_(seed),
      model_(options_of(settings), seed, settings.learning_rate),
      history_({.standard = settings.compatibility != Compatibility::paper,
                .untrained = settings.inception.empty(),
                .draws = settings.eval_draws}) {
  if (settings.resume) {
    load_checkpoint();
  } else if (!settings.checkpoint.empty()) {
    start_from(settings.checkpoint);
  }
}

void FewshotState::load_checkpoint() {
  const auto checkpoint = models::read_fastgan_checkpoint(folder_.checkpoint_path().string());
  model_.load(checkpoint);
  history_.load_state_dict(part_of(checkpoint.other, "history."));
  step_ = checkpoint.iterations;
  GESTALT_CHECK(step_ <= settings_.iterations,
                "--resume: the run has {} steps already; give no smaller --iter than that", step_);
  const fs::path best = folder_ / best_file;  // read where the run is rolled back
  GESTALT_CHECK(fs::exists(best), "--resume: '{}' is missing", best.string());
}

void FewshotState::start_from(const std::string& path) {
  const auto checkpoint = models::read_fastgan_checkpoint(path);
  model_.load(checkpoint);
  step_ = checkpoint.iterations;
  GESTALT_CHECK(step_ < settings_.iterations,
                "'{}' has {} steps already; give a larger --iter than that", path, step_);
}

StateDict FewshotState::model_with_step() const {
  StateDict state = model_.state_dict();
  state.push_back(optim::number("iter", step_));
  return state;
}

void FewshotState::save_checkpoint() const {
  StateDict state = model_with_step();
  add_part(state, "history.", history_.state_dict());
  folder_.save_checkpoint(state, models::fastgan_metadata(model_.options()));
}

void FewshotState::save_best() const {
  write_safetensors((folder_ / best_file).string(), model_with_step(),
                    models::fastgan_metadata(model_.options()));
}

void FewshotState::roll_back() {
  model_.load(models::read_fastgan_checkpoint((folder_ / best_file).string()));
  history_.add_rollback();
  Generator random = random_stream(seed_, Stream::perturbation, history_.rollbacks());
  model_.perturb(settings_.eps_generator, settings_.eps_discriminator, random);
}

}  // namespace gestalt::tools
