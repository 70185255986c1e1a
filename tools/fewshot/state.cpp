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

// Nothing where a run begins with networks of its own.
std::optional<models::FastGanCheckpoint> read_start(const RunFolder& folder,
                                                    const FewshotSettings& settings) {
  if (settings.resume) return models::read_fastgan_checkpoint(folder.checkpoint_path().string());
  if (settings.checkpoint.empty()) return std::nullopt;
  return models::read_fastgan_checkpoint(settings.checkpoint);
}

models::FastGanOptions options_of(const FewshotSettings& settings,
                                  const std::optional<models::FastGanCheckpoint>& start) {
  models::FastGanOptions options = network_options(settings);
  if (start && !settings.excitation) options.excitation = start->options.excitation;
  options.format = nn::convolution_format(context(default_device()));
  return options;
}

}  // namespace

FewshotState::FewshotState(const RunFolder& folder, const FewshotSettings& settings, uint64_t seed)
    : FewshotState(folder, settings, seed, read_start(folder, settings)) {}

FewshotState::FewshotState(const RunFolder& folder, const FewshotSettings& settings, uint64_t seed,
                           const Start& start)
    : folder_(folder),
      settings_(settings),
      seed_(seed),
      model_(options_of(settings, start), seed, settings.learning_rate),
      history_({.standard = settings.compatibility != Compatibility::paper,
                .untrained = settings.inception.empty(),
                .draws = settings.eval_draws}) {
  if (!start) return;
  if (settings.resume) {
    go_on_from(*start);
  } else {
    start_from(*start);
  }
}

void FewshotState::go_on_from(const models::FastGanCheckpoint& checkpoint) {
  model_.load(checkpoint);
  history_.load_state_dict(part_of(checkpoint.other, "history."));
  step_ = checkpoint.iterations;
  GESTALT_CHECK(step_ <= settings_.iterations,
                "--resume: the run has {} steps already; give no smaller --iter than that", step_);
  const fs::path best = folder_ / best_file;  // read where the run is rolled back
  GESTALT_CHECK(fs::exists(best), "--resume: '{}' is missing", best.string());
}

void FewshotState::start_from(const models::FastGanCheckpoint& checkpoint) {
  model_.load(checkpoint);
  // The file's is that of the run it is of.
  model_.generator_optimizer().set_learning_rate(settings_.learning_rate);
  model_.discriminator_optimizer().set_learning_rate(settings_.learning_rate);
  untold_ = untold_of(checkpoint, settings_.sparse != "none", settings_.excitation.has_value());
  step_ = checkpoint.iterations;
  GESTALT_CHECK(step_ < settings_.iterations,
                "'{}' has {} steps already; give a larger --iter than that", checkpoint.path,
                step_);
  history_.begin_behind(step_);
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
