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
#include "models/fastgan_checkpoint.h"
#include "optim/state.h"
#include "tensor/graph.h"
#include "tensor/io/safetensors.h"
#include "tools/common/config.h"
#include "tools/common/event_file.h"
#include "tools/common/image_hash.h"
#include "tools/common/log.h"
#include "tools/common/loss_ring.h"
#include "tools/common/not_finite.h"
#include "tools/common/passed_over.h"
#include "tools/common/progress.h"
#include "tools/common/run_folder.h"
#include "tools/fewshot/dataset.h"
#include "tools/fewshot/evaluation.h"
#include "tools/fewshot/history.h"
#include "tools/fewshot/model.h"
#include "tools/fewshot/perceptual.h"
#include "tools/fewshot/pictures.h"
#include "tools/fewshot/random.h"
#include "tools/fewshot/report.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

// Steps whose losses may wait on the device: at most so late is a bad one seen.
constexpr int64_t most_waiting = 1000;
// Roll-backs for values that are not finite, without an evaluation in between.
constexpr int64_t most_rollbacks = 3;
constexpr int picture_quality = 90;

class FewshotTraining {
 public:
  FewshotTraining(const FewshotSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        folder_(fs::path(settings.output) / settings.name, "train_fewshot_gan",
                R"(best\.safetensors|(metrics|evaluations)\.csv|curves\.(gp|png)|)"
                R"((samples|reconstructions)/[0-9]{7,}\.jpg)"),
        history_({.standard = settings.compatibility != Compatibility::paper,
                  .untrained = settings.inception.empty(),
                  .draws = settings.eval_draws}) {}

  int run() {
    // What can fail comes before the first write: a bad start leaves an earlier run as it is.
    make_parts();
    start_folder();
    for (const std::string& line : lines_) logger_->info(line);
    for (const std::string& line : passed_over({&images_->source()})) logger_->warn(line);
    for (const std::string& reason : images_->unreadable()) logger_->warn("skipped: {}", reason);
    if (settings_.resume) logger_->info("goes on behind step {}", step_);
    if (step_ == settings_.iterations && history_.last_evaluation() == step_) {
      write_evaluations();
      logger_->info("the run in {} is finished", folder_.path().string());
      return exit_done;
    }
    if (!settings_.resume) {  // good states to keep, whatever happens
      write_model("best.safetensors", {});
      save_checkpoint();
    }
    begin_events();
    progress_.emplace("train_fewshot_gan", settings_.iterations, common_.quiet);

    bool goes_on = !evaluation_is_due() || evaluate();
    while (goes_on && step_ < settings_.iterations) goes_on = run_step();
    progress_->finish();
    if (!goes_on) {
      draw_last_samples();
      logger_->info("interrupted and saved; the same command with --resume goes on");
      return exit_interrupted;
    }
    logger_->info("done: {}", folder_.path().string());
    return exit_done;
  }

 private:
  void make_parts() {
    as_usage([&] { check_settings(settings_); });
    open_images();
    if (settings_.resume) check_resume();
    make_model();
    const std::string perceptual = make_step();
    make_evaluator();
    describe(perceptual);
  }

  void open_images() {
    images_.emplace(settings_.path, settings_.image_size, common_.seed);
    config_ = to_json(settings_, common_);
    const data::ImageSource& source = images_->source();
    config_["images"][settings_.path] = image_set(source, hash_images(source, settings_.path));
    // Not of --ckpt: what it held is in the run's own checkpoint, and may have been that.
    config_["files"] = hashes_by_path({settings_.vgg16, settings_.lpips, settings_.inception});
  }

  void check_resume() {
    if (settings_.checkpoint.empty()) {  // where the run began need not be said again
      const nlohmann::json before = settings_of_config(folder_.path(), "train_fewshot_gan");
      if (before.contains("ckpt")) config_["ckpt"] = before["ckpt"];
    }
    folder_.check_resume(config_, to_json(FewshotSettings{}, CommonOptions{}),
                         {"iter", "save_every_steps", "capture", "on_nan"});
  }

  // As it begins, or where an earlier run stopped.
  void make_model() {
    models::FastGanOptions options = network_options(settings_);
    if (default_device().is_cuda()) options.format = Format::channels_last;
    model_.emplace(options, common_.seed, settings_.learning_rate);
    if (settings_.resume) {
      load_checkpoint();
      GESTALT_CHECK(step_ <= settings_.iterations,
                    "--resume: the run has {} steps already; give no smaller --iter than that",
                    step_);
      const fs::path best = folder_ / "best.safetensors";  // read where the run is rolled back
      GESTALT_CHECK(fs::exists(best), "--resume: '{}' is missing", best.string());
    } else if (!settings_.checkpoint.empty()) {
      const auto checkpoint = models::read_fastgan_checkpoint(settings_.checkpoint);
      model_->load(checkpoint);
      step_ = checkpoint.iterations;
      GESTALT_CHECK(step_ < settings_.iterations,
                    "'{}' has {} steps already; give a larger --iter than that",
                    settings_.checkpoint, step_);
    }
  }

  // What the perceptual loss is made of, in words.
  std::string make_step() {
    PerceptualLoss perceptual = make_perceptual_loss(settings_.vgg16, settings_.lpips);
    step_runner_.emplace(
        *model_, std::move(perceptual.lpips),
        GanStepOptions{
            .batch_size = settings_.batch_size,
            .seed = common_.seed,
            .capture = is_on(settings_.capture, capture_pays(default_device()) && !settings_.noise),
            .dtype = settings_.dtype});
    ring_.emplace(ring_size(), gan_losses);
    return perceptual.description;
  }

  void make_evaluator() {
    features_.emplace(eval::load_inception(settings_.inception));
    sampler_.emplace(*model_);
    evaluator_.emplace(
        *features_, images_->images(),
        FewshotEvaluationOptions{.samples = settings_.eval_samples,
                                 .draws = settings_.eval_draws,
                                 .batch_size = settings_.batch_size,
                                 .seed = common_.seed,
                                 .standard = settings_.compatibility != Compatibility::paper});
  }

  void describe(const std::string& perceptual) {
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
    lines_.push_back(format("perceptual loss: {}", perceptual));
    lines_.push_back(format("{}, {}: {}, weights {}", metric_name("FID"), metric_name("KID"),
                            network.description, network.hash));
    if (settings_.sparse != "none" && settings_.sparse_loss_weight > 0) {
      lines_.push_back(format("{} has no loss of its own: --sparse_layer_loss_weight has no effect",
                              settings_.sparse_policy));
    }
  }

  // "FID(untrained)" where the network behind it is not trained.
  std::string metric_name(const char* metric) const {
    return eval::metric_name(metric, features_->network().width, features_->network().weights);
  }
  int64_t ring_size() const { return std::min(settings_.log_every, most_waiting); }
  bool evaluation_is_due() const {
    return step_ > 0 && history_.last_evaluation() != step_ &&
           (step_ % settings_.eval_every == 0 || step_ == settings_.iterations);
  }

  void start_folder() {
    logger_ = folder_.start(config_, common_, settings_.resume, {"samples", "reconstructions"});
    history_.write_losses(folder_.path());  // without those of steps that come again
  }

  void begin_events() {
    const bool evaluation_comes = evaluation_is_due();
    events_.emplace(folder_.path(), step_ + (evaluation_comes ? 0 : 1));
    // The losses of that step do not come again.
    const auto& rows = history_.losses().rows();
    if (!evaluation_comes || rows.empty() || static_cast<int64_t>(rows.back()[0]) != step_) return;
    history_.losses().write_events(*events_);
  }

  // False where it was interrupted, and saved.
  bool run_step() {
    images_->fill(step_runner_->batch(), step_);
    step_runner_->run(step_);
    ++step_;
    ring_->note(step_, step_runner_->losses());
    const bool log = step_ % settings_.log_every == 0 || step_ == settings_.iterations;
    if (log || step_ % ring_size() == 0) collect();
    if (log) log_losses();
    progress_->update(step_, last_line_.empty() ? "steps" : "steps, " + last_line_);
    if (evaluation_is_due()) {
      save_checkpoint();  // an evaluation is long: it is repeated, not the steps before it
      return evaluate();
    }
    if (interrupted()) {
      save_checkpoint();
      write_evaluations();
      return false;
    }
    if (settings_.save_every_steps > 0 && step_ % settings_.save_every_steps == 0) {
      save_checkpoint();
    }
    return true;
  }

  // ---- losses ----

  // Takes the losses that wait on the device. Values that are not finite end the run, or send it
  // back to the best state.
  void collect() {
    for (const LossRing::Step& each : ring_->take()) {
      for (size_t i = 0; i < each.losses.size(); ++i) {
        if (std::isfinite(each.losses[i])) continue;
        const auto tensor = find_not_finite(model_->state_dict());
        return not_finite(format("{} is {} in step {}{}", gan_loss_names[i],
                                 std::isnan(each.losses[i]) ? "nan" : "infinite", each.step,
                                 tensor ? format(" ({} is not finite either)", *tensor) : ""));
      }
      history_.add_step(each.losses);
      last_losses_ = each.losses;
    }
  }

  void not_finite(const std::string& what) {
    progress_->finish();
    GESTALT_CHECK(settings_.on_nan == OnNan::roll_back,
                  "{}; the last checkpoint stays (--resume --on_nan rollback goes on from the best "
                  "state; a run of another --name may begin with --ckpt and a smaller --lr)",
                  what);
    GESTALT_CHECK(history_.rollbacks_in_a_row() < most_rollbacks,
                  "{}, after {} roll-backs without losses that could be logged between them; the "
                  "last checkpoint stays",
                  what, most_rollbacks);
    logger_->warn(what);
    ring_->take();
    history_.drop_interval();
    roll_back();
    save_checkpoint();
  }

  void log_losses() {
    if (!history_.has_interval()) return;  // dropped in a roll-back
    last_line_ = loss_line(last_losses_);
    progress_->finish();
    logger_->info("step {}/{} {}", step_, settings_.iterations, last_line_);
    history_.close_interval(step_);
    history_.append_losses(folder_.path());
    history_.losses().write_events(*events_);
  }

  // ---- evaluation ----

  // False where it was interrupted; the checkpoint before it is the one to go on with.
  bool evaluate() {
    sampler_->follow(*model_);
    const auto figures = evaluator_->evaluate(*sampler_, step_, [] { return interrupted(); });
    if (!figures) return false;
    const bool better = history_.add_evaluation(step_, *figures);
    progress_->finish();
    logger_->info(
        "step {}: {}", step_,
        evaluation_line(*figures, history_, settings_, metric_name("FID"), metric_name("KID")));
    write_evaluation(*events_, step_, *figures, metric_name("FID"), metric_name("KID"));
    draw_pictures();
    if (better) {
      write_model("best.safetensors", {});
    } else if (settings_.patience > 0 && history_.without_best() >= settings_.patience) {
      roll_back();
    }
    write_evaluations();
    save_checkpoint();  // last: until it stands, the evaluation is not over
    return true;
  }

  void draw_pictures() {
    draw_samples_now(SampleSheet::whole);
    data::save_image(folder_ / "reconstructions" / picture_name(),
                     draw_reconstructions(*model_, images_->images()), picture_quality);
  }
  // Of the average as it is now; the training does not see it.
  void draw_samples_now(SampleSheet sheet) {
    sampler_->follow(*model_);
    // As the figures are made (in batches of --batch_size) by which the best state is chosen.
    const auto mode = settings_.compatibility == Compatibility::paper ? Sampler::Mode::training
                                                                      : Sampler::Mode::evaluation;
    data::save_image(folder_ / "samples" / picture_name(),
                     draw_samples(*sampler_, mode, settings_.image_size, common_.seed, sheet),
                     picture_quality);
  }
  // Where an interrupted run stands, behind its checkpoint; in about a second: on a CPU a whole
  // sheet of large images takes several.
  void draw_last_samples() {
    const bool is_quick = default_device().is_cuda() || settings_.image_size <= 128;
    draw_samples_now(is_quick ? SampleSheet::whole : SampleSheet::first_batch);
  }
  std::string picture_name() const { return fmt::format("{:07}.jpg", step_); }

  void write_evaluations() const { history_.write_evaluations(folder_.path(), metric_name("FID")); }

  // ---- states ----

  void roll_back() {
    model_->load(models::read_fastgan_checkpoint((folder_ / "best.safetensors").string()));
    history_.add_rollback();
    Generator random = random_stream(common_.seed, Stream::perturbation, history_.rollbacks());
    model_->perturb(settings_.eps_generator, settings_.eps_discriminator, random);
    logger_->info("back to the state of step {}, moved by U(+-{:g}) and U(+-{:g}) (roll-back {})",
                  history_.best_step(), settings_.eps_generator, settings_.eps_discriminator,
                  history_.rollbacks());
  }

  void write_model(const std::string& name, const StateDict& more) const {
    StateDict state = model_->state_dict();
    state.push_back(optim::number("iter", step_));
    add_part(state, "", more);
    write_safetensors((folder_ / name).string(), state,
                      models::fastgan_metadata(model_->options()));
  }

  // Of finite values alone.
  void save_checkpoint() {
    if (step_ > 0) {
      collect();
      if (const auto tensor = find_not_finite(model_->state_dict())) {
        return not_finite(format("{} is not finite behind step {}", *tensor, step_));
      }
    }
    StateDict more;
    add_part(more, "history.", history_.state_dict());
    write_model("checkpoint.safetensors", more);
  }

  void load_checkpoint() {
    const auto checkpoint =
        models::read_fastgan_checkpoint((folder_ / "checkpoint.safetensors").string());
    model_->load(checkpoint);
    history_.load_state_dict(part_of(checkpoint.other, "history."));
    step_ = checkpoint.iterations;
  }

  const FewshotSettings& settings_;
  const CommonOptions& common_;
  RunFolder folder_;
  nlohmann::json config_;
  std::vector<std::string> lines_;  // for the log, once there is one
  Logger logger_;
  std::optional<FewshotImages> images_;
  std::optional<GanModel> model_;
  std::optional<GanStep> step_runner_;
  std::optional<LossRing> ring_;
  std::optional<eval::InceptionFeatures> features_;
  std::optional<Sampler> sampler_;
  std::optional<Evaluator> evaluator_;
  GanHistory history_;
  std::optional<EventFile> events_;
  std::optional<Progress> progress_;
  int64_t step_ = 0;  // how many are done
  std::vector<double> last_losses_;
  std::string last_line_;
};

}  // namespace

int run_fewshot_training(const FewshotSettings& settings, const CommonOptions& common) {
  catch_interrupts();
  return FewshotTraining(settings, common).run();
}

}  // namespace gestalt::tools
