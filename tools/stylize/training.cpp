#include "tools/stylize/training.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/error.h"
#include "models/adain.h"
#include "nn/weight_format.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "optim/state.h"
#include "tensor/io/checkpoint.h"
#include "tools/common/config.h"
#include "tools/common/image_hash.h"
#include "tools/common/loss_ring.h"
#include "tools/common/metrics.h"
#include "tools/common/not_finite.h"
#include "tools/common/output.h"
#include "tools/common/passed_over.h"
#include "tools/common/progress.h"
#include "tools/common/run_folder.h"
#include "tools/stylize/networks.h"
#include "tools/stylize/pictures.h"
#include "tools/stylize/samples.h"
#include "tools/stylize/step.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

// Styles are shuffled and cropped by numbers of their own, not by those of the contents.
constexpr uint64_t style_stream = 0x5354594C45;

StylizerStepOptions step_options(const TrainStylizerSettings& s) {
  return {s.content_weight, s.style_weight, s.reconstruction_weight};
}

std::vector<std::string> metric_columns(const std::vector<StylizerLoss>& parts) {
  std::vector<std::string> columns = {"step", "learning_rate", "loss"};
  for (const StylizerLoss& part : parts) columns.push_back(part.name + "_loss");
  return columns;
}

// Where the training stands, and the sums of the steps since the last row of metrics.csv: of the
// loss and of its parts, which are not weighted.
struct Position {
  int64_t step = 0, summed = 0;
  std::vector<double> losses;
};

class StylizerTraining {
 public:
  StylizerTraining(const TrainStylizerSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        folder_(
            fs::path(settings.output) / settings.name, "train_stylizer",
            R"(decoder\.safetensors|metrics\.csv|curves\.(gp|png)|samples/step_[0-9]{6,}\.jpg)"),
        parts_(stylizer_losses(step_options(settings))),
        metrics_(metric_columns(parts_)),
        losses_(most_waiting_steps, static_cast<int64_t>(parts_.size()) + 1) {
    forget_losses();
  }

  int run() {
    as_usage([&] { check_settings(settings_); });
    contents_.emplace(settings_.content, settings_, common_.seed);
    styles_.emplace(settings_.style, settings_, common_.seed ^ style_stream);
    nlohmann::json config = to_json(settings_, common_);
    // Not of --decoder: what it held is in the run's own checkpoint, and may be the run's.
    config["files"] = hashes_by_role({{"vgg", settings_.encoder}});
    for (const auto& [role, pictures] : {std::pair("content", &contents_), {"style", &styles_}}) {
      const data::ImageSource& source = (*pictures)->source();
      check_outside(folder_.path(), source.location());
      config["images"][role] = image_set(source, hash_listing(source));
    }
    if (settings_.resume) {
      folder_.check_resume(config, to_json(TrainStylizerSettings{}, CommonOptions{}),
                           {"max_iter", "workers", "save_every_steps", "sample_every_steps"},
                           {{"content", "images", "content"},
                            {"style", "images", "style"},
                            {"vgg", "files", "vgg"}});
    }
    // What can fail comes before the first write: a bad start leaves an earlier run as it is.
    make_networks();
    if (settings_.resume) {
      load_checkpoint();
      GESTALT_CHECK(position_.step <= settings_.steps,
                    "--resume: the run has {} steps already; give no smaller --max_iter than that",
                    position_.step);
    }
    samples_.emplace(contents_->source(), styles_->source(), static_cast<int>(settings_.image_size),
                     static_cast<int>(settings_.crop_size));
    logger_ = folder_.start(config, common_, settings_.resume, {"samples"});
    logger_->info("encoder: {}", encoder_text_);
    logger_->info("{} contents, {} styles, {} steps of {} on {}", contents_->source().size(),
                  styles_->source().size(), settings_.steps, settings_.batch_size,
                  to_string(default_device()));
    for (const std::string& line : passed_over({&contents_->source(), &styles_->source()})) {
      logger_->warn(line);
    }
    if (settings_.resume) {
      logger_->info("continues after step {}", position_.step);
    } else {
      save();  // a good state to keep, whatever happens
    }
    metrics_.write_csv(folder_ / "metrics.csv");  // without rows of steps that come again
    return position_.step < settings_.steps ? train() : finish();
  }

 private:
  void make_networks() {
    AdainEncoder encoder = load_adain_encoder(settings_.encoder);
    encoder_ = encoder.network;
    encoder_text_ = encoder.description;
    if (settings_.encoder.empty()) {
      encoder_text_ += ": the decoder fits only it (stylize_images without --vgg)";
    }
    decoder_ = settings_.decoder.empty() ? random_decoder() : load_adain_decoder(settings_.decoder);
    decoder_->set_requires_grad(true);
    decoder_->train();
    decoder_->to(default_device());
    nn::set_weight_format(*encoder_, format_);
    nn::set_weight_format(*decoder_, format_);
    optimizer_.emplace(decoder_->parameters(),
                       optim::AdamOptions{.learning_rate = settings_.learning_rate});
    step_.emplace(*encoder_, *decoder_, *optimizer_, step_options(settings_));
    schedule_.emplace(*optimizer_, [this](int64_t step) { return decayed(step); });
  }

  // Times the learning rate, after so many steps.
  double decayed(int64_t steps) const {
    return 1 / (1 + settings_.learning_rate_decay * static_cast<double>(steps));
  }
  double learning_rate_of(int64_t step) const {  // from 1
    return settings_.learning_rate * decayed(step - 1);
  }

  std::shared_ptr<nn::Sequential> random_decoder() const {
    Generator generator(common_.seed);
    auto decoder = models::make_adain_decoder(generator);
    models::init_adain_decoder(*decoder, generator);
    return decoder;
  }

  // Of a run that has all its steps: its curves, and what it lacks where it was interrupted after
  // the last with a larger --max_iter.
  int finish() {
    if (position_.summed > 0) {
      EventFile events(folder_.path(), position_.step);
      add_row(events);
      save();
    }
    if (!fs::exists(sample_path())) save_samples();
    draw();
    logger_->info("the run in {} is finished", folder_.path().string());
    return exit_done;
  }

  int train() {
    EventFile events(folder_.path(), position_.step + 1);
    Progress progress("train_stylizer", settings_.steps, common_.quiet);
    progress.update(position_.step, "");
    while (position_.step < settings_.steps) {
      step();
      const bool is_last = position_.step == settings_.steps;
      if (is_last || position_.step % settings_.log_every == 0) add_row(events);
      if (is_last || is_multiple(settings_.sample_every)) {
        save_samples();
        draw();
      }
      if (is_last || is_multiple(settings_.save_every)) save();
      progress.update(position_.step, [&] {
        collect_losses();
        return fmt::format("steps, loss {:.4f}", last_loss_);
      });
      if (!is_last && interrupted()) {
        save();
        progress.finish();
        logger_->info("interrupted and saved; the same command with --resume continues");
        return exit_interrupted;
      }
    }
    progress.finish();
    logger_->info("done: {}", folder_.path().string());
    return exit_done;
  }

  bool is_multiple(int64_t interval) const {
    return interval > 0 && position_.step % interval == 0;
  }

  // Reads no value: the losses wait on the device.
  void step() {
    const Tensor content = contents_->next().contiguous(format_);
    const Tensor losses = step_->run(content, styles_->next().contiguous(format_));
    schedule_->step();
    ++position_.step;
    if (losses_.full()) collect_losses();
    losses_.note(position_.step, losses);
  }

  void forget_losses() {
    position_.summed = 0;
    position_.losses.assign(parts_.size() + 1, 0.0);
  }

  // Waits for the device. Throws Error for a loss that is not finite; weights of that kind are in
  // no file then, because every file is written after this.
  void collect_losses() {
    for (const LossRing::Step& each : losses_.take()) {
      GESTALT_CHECK(
          std::isfinite(each.losses[0]),
          "the loss is {} in step {}; the last checkpoint stays (a smaller --lr may help)",
          each.losses[0], each.step);
      last_loss_ = each.losses[0];
      ++position_.summed;
      for (size_t i = 0; i < position_.losses.size(); ++i) {
        position_.losses[i] += each.losses[i];
      }
    }
  }

  // The mean of the steps since the row before.
  void add_row(EventFile& events) {
    collect_losses();
    std::vector<double> row = {static_cast<double>(position_.step),
                               learning_rate_of(position_.step)};
    for (const double sum : position_.losses) {
      row.push_back(sum / static_cast<double>(position_.summed));
    }
    metrics_.add(row);
    metrics_.append_csv(folder_ / "metrics.csv");
    metrics_.write_events(events);
    std::string text = fmt::format("loss {:.4f}", row[2]);
    for (size_t i = 0; i < parts_.size(); ++i) {
      text += fmt::format(", {} {:.4f}", parts_[i].name, row[i + 3]);
    }
    logger_->info("step {}: {}", position_.step, text);
    forget_losses();
    for (TrainingPictures* each : {&*contents_, &*styles_}) {
      for (const std::string& reason : each->newly_unreadable()) {
        logger_->warn("skipped: {}", reason);
      }
    }
  }

  fs::path sample_path() const {
    return folder_ / "samples" / fmt::format("step_{:06}.jpg", position_.step);
  }

  void save_samples() {
    collect_losses();
    samples_->save(sample_path(), fmt::format("step {}", position_.step), encoder_, decoder_);
  }

  void draw() const {
    // Pixels' errors are much smaller numbers than features'. All fall by orders of magnitude.
    const std::string axis = "set logscale y";
    CurvePanel features{"losses", {}, axis}, pixels{"reconstruction", {}, axis};
    for (const StylizerLoss& part : parts_) {
      CurvePanel& panel = part.name == "reconstruction" ? pixels : features;
      panel.curves.push_back({part.name + "_loss", part.name});
    }
    std::vector<CurvePanel> panels = {{"loss (weighted)", {{"loss", "loss"}}, axis}};
    for (const CurvePanel& panel : {features, pixels}) {
      if (!panel.curves.empty()) panels.push_back(panel);
    }
    draw_curves(folder_.path(), metrics_, panels);
  }

  void save() {
    collect_losses();
    // A loss is that of the weights before its step.
    const auto tensor = position_.step > 0 ? find_not_finite(decoder_->state_dict()) : std::nullopt;
    GESTALT_CHECK(!tensor,
                  "the decoder's {} is not finite after step {}; the last checkpoint stays (a "
                  "smaller --lr may help)",
                  *tensor, position_.step);
    write_safetensors((folder_ / "decoder.safetensors").string(), decoder_->state_dict());
    StateDict state;
    add_part(state, "decoder.", decoder_->state_dict());
    add_part(state, "optimizer.", optimizer_->state_dict());
    add_part(state, "schedule.", schedule_->state_dict());
    add_part(state, "contents.", contents_->state_dict());
    add_part(state, "styles.", styles_->state_dict());
    add_part(state, "metrics.", metrics_.state_dict());
    StateDict position = {optim::number("step", position_.step),
                          optim::number("summed", position_.summed)};
    for (size_t i = 0; i < position_.losses.size(); ++i) {
      position.push_back(optim::number(metrics_.columns()[i + 2], position_.losses[i]));
    }
    add_part(state, "position.", position);
    folder_.save_checkpoint(state);
  }

  void load_checkpoint() {
    const StateDict state = folder_.load_checkpoint();
    decoder_->load_state_dict(part_of(state, "decoder."));
    optimizer_->load_state_dict(part_of(state, "optimizer."));
    schedule_->load_state_dict(part_of(state, "schedule."));
    contents_->load_state_dict(part_of(state, "contents."));
    styles_->load_state_dict(part_of(state, "styles."));
    metrics_.load_state_dict(part_of(state, "metrics."));
    const StateDict position = part_of(state, "position.");
    position_.step = optim::require_integer("checkpoint", position, "step");
    position_.summed = optim::require_integer("checkpoint", position, "summed");
    for (size_t i = 0; i < position_.losses.size(); ++i) {
      position_.losses[i] =
          optim::require_number("checkpoint", position, metrics_.columns()[i + 2]);
    }
  }

  const TrainStylizerSettings& settings_;
  const CommonOptions& common_;
  RunFolder folder_;
  Logger logger_;
  std::optional<TrainingPictures> contents_, styles_;
  std::string encoder_text_;
  std::shared_ptr<nn::Sequential> encoder_, decoder_;
  Format format_ = nn::convolution_format(context(default_device()));  // of images and weights
  std::optional<optim::Adam> optimizer_;
  std::optional<StylizerStep> step_;
  std::optional<optim::LambdaSchedule> schedule_;
  std::optional<Samples> samples_;
  std::vector<StylizerLoss> parts_;
  Metrics metrics_;
  Position position_;
  LossRing losses_;  // the whole loss, then that of each part
  double last_loss_ = 0;
};

}  // namespace

int run_stylizer_training(const TrainStylizerSettings& settings, const CommonOptions& common) {
  catch_interrupts();
  return StylizerTraining(settings, common).run();
}

}  // namespace gestalt::tools
