#include "tools/fewshot/training.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <spdlog/fmt/fmt.h>

#include "data/encode.h"
#include "eval/generative_metrics.h"
#include "eval/inception_features.h"
#include "kernels/error.h"
#include "tensor/graph.h"
#include "tools/common/config.h"
#include "tools/common/event_file.h"
#include "tools/common/image_hash.h"
#include "tools/common/log.h"
#include "tools/common/loss_ring.h"
#include "tools/common/not_finite.h"
#include "tools/common/passed_over.h"
#include "tools/common/progress.h"
#include "tools/common/run_folder.h"
#include "tools/common/weights.h"
#include "tools/fewshot/dataset.h"
#include "tools/fewshot/evaluation.h"
#include "tools/fewshot/perceptual.h"
#include "tools/fewshot/pictures.h"
#include "tools/fewshot/report.h"
#include "tools/fewshot/state.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

// For values that are not finite, without finite losses in between.
constexpr int64_t most_rollbacks = 3;
constexpr int picture_quality = 90;

class FewshotTraining {
 public:
  FewshotTraining(const FewshotSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        folder_(fs::path(settings.output) / settings.name, "train_fewshot_gan",
                R"(best\.safetensors|(metrics|evaluations)\.csv|curves\.(gp|png)|)"
                R"((samples|reconstructions)/[0-9]{7,}\.jpg)") {}

  int run() {
    // What can fail comes before the first write: a bad start leaves an earlier run as it is.
    make_parts();
    start_folder();
    for (const std::string& line : lines_) logger_->info(line);
    if (!state_->untold().sparsity.empty()) logger_->warn(state_->untold().sparsity);
    for (const std::string& line : passed_over({&images_->source()})) logger_->warn(line);
    for (const std::string& reason : images_->unreadable()) logger_->warn("skipped: {}", reason);
    if (settings_.resume) logger_->info("continues after step {}", step());
    if (step() == settings_.iterations && history().last_evaluation() == step()) {
      write_evaluations();
      logger_->info("the run in {} is finished", folder_.path().string());
      return exit_done;
    }
    if (!settings_.resume) {  // good states to keep, whatever happens
      state_->save_best();
      state_->save_checkpoint();
    }
    begin_events();
    progress_.emplace("train_fewshot_gan", settings_.iterations, common_.quiet);

    bool goes_on = !evaluation_is_due() || evaluate();
    while (goes_on && step() < settings_.iterations) goes_on = run_step();
    if (goes_on && evaluation_is_due()) goes_on = evaluate();  // the last step went back
    progress_->finish();
    if (!goes_on) {
      draw_last_samples();
      logger_->info("interrupted and saved; the same command with --resume continues");
      return exit_interrupted;
    }
    logger_->info("done: {}", folder_.path().string());
    return exit_done;
  }

 private:
  // Of losses or weights. Thrown within a step alone, which is over then.
  struct NotFinite {
    std::string what;
  };

  void make_parts() {
    as_usage([&] { check_settings(settings_); });
    open_images();
    if (settings_.resume) check_resume();
    state_.emplace(folder_, settings_, common_.seed);
    if (!settings_.resume && !settings_.checkpoint.empty()) {
      check_finite(state_->model().state_dict(), settings_.checkpoint);
    }
    const std::string perceptual = make_step();
    make_evaluator();
    describe(perceptual);
  }

  void open_images() {
    images_.emplace(settings_.path, settings_.image_size, common_.seed);
    config_ = to_json(settings_, common_);
    const data::ImageSource& source = images_->source();
    config_["images"]["path"] = image_set(source, hash_images(source, settings_.path));
    // Not of --ckpt: what it held is in the run's own checkpoint, and may have been that.
    config_["files"] = hashes_by_role({{"vgg16", settings_.vgg16},
                                       {"lpips", settings_.lpips},
                                       {"inception", settings_.inception}});
  }

  void check_resume() {
    const nlohmann::json before = settings_of_config(folder_.path(), "train_fewshot_gan");
    // Where the run began need not be said again.
    const bool takes_ckpt = settings_.checkpoint.empty() && before.contains("ckpt");
    if (takes_ckpt) config_["ckpt"] = before["ckpt"];
    FewshotSettings defaults;
    defaults.excitation = models::Excitation::sigmoid;
    folder_.check_resume(config_, to_json(defaults, CommonOptions{}),
                         {"iter", "save_every_steps", "capture", "on_nan"},
                         {{"path", "images", "path"},
                          {"vgg16", "files", "vgg16"},
                          {"lpips", "files", "lpips"},
                          {"inception", "files", "inception"}});
    if (before.contains("sparsity_known")) config_["sparsity_known"] = before["sparsity_known"];
  }

  // What the perceptual loss is made of, in words.
  std::string make_step() {
    PerceptualLoss perceptual = make_perceptual_loss(settings_.vgg16, settings_.lpips);
    step_runner_.emplace(
        state_->model(), std::move(perceptual.lpips),
        GanStepOptions{
            .batch_size = settings_.batch_size,
            .seed = common_.seed,
            .capture = is_on(settings_.capture, capture_pays(default_device()) && !settings_.noise),
            .dtype = settings_.dtype});
    ring_.emplace(ring_size(), gan_values);
    return perceptual.description;
  }

  void make_evaluator() {
    features_.emplace(
        eval::load_inception(settings_.inception, 2048, default_device(), read_weights));
    sampler_.emplace(state_->model());
    evaluator_.emplace(
        *features_, images_->images(),
        FewshotEvaluationOptions{.samples = settings_.eval_samples,
                                 .draws = settings_.eval_draws,
                                 .batch_size = settings_.batch_size,
                                 .seed = common_.seed,
                                 .standard = settings_.compatibility != Compatibility::paper});
  }

  void describe(const std::string& perceptual) {
    config_["excitation"] = models::to_string(state_->model().options().excitation);
    if (!state_->untold().sparsity.empty()) config_["sparsity_known"] = false;
    config_["perceptual_network"] = perceptual;
    const eval::FeatureNetwork& network = features_->network();
    config_["figure_network"] = network.description;
    config_["figure_network_hash"] = network.hash;
    config_["figure_network_weights"] = eval::to_string(network.weights);
    lines_.push_back(format("{} images at {}x{} on {}, {}", images_->size(), settings_.image_size,
                            settings_.image_size, to_string(default_device()),
                            settings_.sparse == "none"
                                ? std::string("no Top-K")
                                : format("{} {}", settings_.sparse_policy, settings_.sparse)));
    if (images_->size() < 10) {
      lines_.push_back(format(
          "{} images only: FID and KID of so few say little, and they are learnt by heart soon",
          images_->size()));
    }
    if (const std::string& line = state_->untold().excitation; !line.empty()) {
      lines_.push_back(line);
    }
    lines_.push_back(format("perceptual loss: {}", perceptual));
    lines_.push_back(format("{}, {}: {}, weights {}", metric_name("FID"), metric_name("KID"),
                            network.description, network.hash));
    if (settings_.sparse != "none" && settings_.sparse_loss_weight > 0) {
      lines_.push_back(format("{} has no loss of its own: --sparse_layer_loss_weight has no effect",
                              settings_.sparse_policy));
    }
  }

  int64_t step() const { return state_->step(); }
  GanHistory& history() { return state_->history(); }
  // "FID(untrained)" where the network behind it is not trained.
  std::string metric_name(const char* metric) const {
    return eval::metric_name(metric, features_->network().width, features_->network().weights);
  }
  int64_t ring_size() const { return std::min(settings_.log_every, most_waiting_steps); }
  bool evaluation_is_due() {
    return step() > 0 && history().last_evaluation() != step() &&
           (step() % settings_.eval_every == 0 || step() == settings_.iterations);
  }

  void start_folder() {
    logger_ = folder_.start(config_, common_, settings_.resume, {"samples", "reconstructions"});
    history().write_losses(folder_.path());  // without those of steps that come again
  }

  void begin_events() {
    const bool evaluation_comes = evaluation_is_due();
    events_.emplace(folder_.path(), step() + (evaluation_comes ? 0 : 1));
    // The losses of that step do not come again.
    const auto& rows = history().losses().rows();
    if (!evaluation_comes || rows.empty() || static_cast<int64_t>(rows.back()[0]) != step()) return;
    history().losses().write_events(*events_);
  }

  // False where it was interrupted, and saved.
  bool run_step() {
    images_->fill(step_runner_->batch(), step());
    step_runner_->run(step());
    state_->count_step();
    ring_->note(step(), step_runner_->values());
    try {
      return look_after_step();
    } catch (const NotFinite& found) {
      go_back(found.what);
      return true;
    }
  }

  // What is due after a step: of values that are not finite nothing is logged, saved or evaluated.
  bool look_after_step() {
    const bool log = step() % settings_.log_every == 0 || step() == settings_.iterations;
    if (log || step() % ring_size() == 0) collect();
    if (log) log_losses();
    progress_->update(step(), last_line_.empty() ? "steps" : "steps, " + last_line_);
    if (evaluation_is_due()) {
      save_checkpoint();  // an evaluation is long: it is repeated, not the steps before it
      return evaluate();
    }
    if (interrupted()) {
      save_checkpoint();
      write_evaluations();
      return false;
    }
    if (settings_.save_every_steps > 0 && step() % settings_.save_every_steps == 0) {
      save_checkpoint();
    }
    return true;
  }

  // ---- losses ----

  // Takes the losses that wait on the device.
  void collect() {
    const std::vector<LossRing::Step> steps = ring_->take();
    for (const LossRing::Step& each : steps) {
      for (size_t i = 0; i < each.losses.size(); ++i) {
        if (std::isfinite(each.losses[i])) continue;
        const auto tensor = find_not_finite(state_->model().state_dict());
        throw NotFinite{format("{} is {} in step {}{}", gan_value_names[i],
                               std::isnan(each.losses[i]) ? "nan" : "infinite", each.step,
                               tensor ? format(" ({} is not finite either)", *tensor) : "")};
      }
      history().add_step(each.losses);
      last_values_ = each.losses;
    }
    // Those right behind a roll-back are of the state that it brought back.
    if (!steps.empty() && steps.back().step > went_back_ + 1) history().forget_failures();
  }

  // To the best state, or out of the run.
  void go_back(const std::string& what) {
    progress_->finish();
    GESTALT_CHECK(
        settings_.on_nan == OnNan::roll_back,
        "{}; the last checkpoint stays (--resume --on_nan rollback continues from the best "
        "state; a run of another --name may begin with --ckpt and a smaller --lr)",
        what);
    GESTALT_CHECK(history().failures() < most_rollbacks,
                  "{}, after {} roll-backs without finite losses between them; the last checkpoint "
                  "stays",
                  what, most_rollbacks);
    logger_->warn(what);
    history().count_failure();
    history().drop_interval();
    went_back_ = step();
    roll_back();
    if (evaluation_is_due() && step() < settings_.iterations) {
      history().pass_over_evaluation(step());
    }
    state_->save_checkpoint();
  }

  void log_losses() {
    if (!history().has_interval()) return;  // dropped in a roll-back
    last_line_ = loss_line(last_values_);
    progress_->finish();
    logger_->info("step {}/{} {}", step(), settings_.iterations, last_line_);
    history().close_interval(step());
    history().append_losses(folder_.path());
    history().losses().write_events(*events_);
  }

  // ---- evaluation ----

  // False where it was interrupted; the checkpoint before it is the one to go on with.
  bool evaluate() {
    sampler_->follow(state_->model());
    const auto figures = evaluator_->evaluate(*sampler_, step(), [] { return interrupted(); });
    if (!figures) return false;
    const bool better = history().add_evaluation(step(), *figures);
    progress_->finish();
    logger_->info(
        "step {}: {}", step(),
        evaluation_line(*figures, history(), settings_, metric_name("FID"), metric_name("KID")));
    write_evaluation(*events_, step(), *figures, metric_name("FID"), metric_name("KID"));
    draw_pictures();
    if (better) {
      state_->save_best();
    } else if (settings_.patience > 0 && history().without_best() >= settings_.patience) {
      roll_back();
    }
    write_evaluations();
    state_->save_checkpoint();  // last: until it stands, the evaluation is not over
    return true;
  }

  void draw_pictures() {
    draw_samples_now(SampleSheet::whole);
    data::save_image(folder_ / "reconstructions" / picture_name(),
                     draw_reconstructions(state_->model(), images_->images()), picture_quality);
  }
  // Of the average as it is now; the training does not see it.
  void draw_samples_now(SampleSheet sheet) {
    sampler_->follow(state_->model());
    // As the figures are made (in batches of --batch_size) by which the best state is chosen.
    const auto mode = settings_.compatibility == Compatibility::paper ? Sampler::Mode::training
                                                                      : Sampler::Mode::evaluation;
    data::save_image(folder_ / "samples" / picture_name(),
                     draw_samples(*sampler_, mode, settings_.image_size, common_.seed, sheet),
                     picture_quality);
  }
  // Where an interrupted run stands, after its checkpoint; in about a second: on a CPU a whole
  // sheet of large images takes several.
  void draw_last_samples() {
    const bool is_quick = default_device().is_cuda() || settings_.image_size <= 128;
    draw_samples_now(is_quick ? SampleSheet::whole : SampleSheet::first_batch);
  }
  std::string picture_name() const { return fmt::format("{:07}.jpg", step()); }

  void write_evaluations() { history().write_evaluations(folder_.path(), metric_name("FID")); }

  // ---- states ----

  void roll_back() {
    state_->roll_back();
    logger_->info("back to the state of step {}, moved by U(+-{:g}) and U(+-{:g}) (roll-back {})",
                  history().best_step(), settings_.eps_generator, settings_.eps_discriminator,
                  history().rollbacks());
  }

  // Of finite values alone.
  void save_checkpoint() {
    collect();
    if (const auto tensor = find_not_finite(state_->model().state_dict())) {
      throw NotFinite{format("{} is not finite after step {}", *tensor, step())};
    }
    state_->save_checkpoint();
  }

  const FewshotSettings& settings_;
  const CommonOptions& common_;
  RunFolder folder_;
  nlohmann::json config_;
  std::vector<std::string> lines_;  // for the log, once there is one
  Logger logger_;
  std::optional<FewshotImages> images_;
  std::optional<FewshotState> state_;
  std::optional<GanStep> step_runner_;
  std::optional<LossRing> ring_;
  std::optional<eval::InceptionFeatures> features_;
  std::optional<Sampler> sampler_;
  std::optional<Evaluator> evaluator_;
  std::optional<EventFile> events_;
  std::optional<Progress> progress_;
  std::vector<double> last_values_;
  int64_t went_back_ = -1;  // the last step whose values were not finite
  std::string last_line_;
};

}  // namespace

int run_fewshot_training(const FewshotSettings& settings, const CommonOptions& common) {
  catch_interrupts();
  return FewshotTraining(settings, common).run();
}

}  // namespace gestalt::tools
