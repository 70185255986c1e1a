#include "tools/stylize/training.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/loader.h"
#include "kernels/error.h"
#include "models/adain.h"
#include "models/adain_loss.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "optim/state.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tools/common/image_hash.h"
#include "tools/common/loss_ring.h"
#include "tools/common/metrics.h"
#include "tools/common/output.h"
#include "tools/common/progress.h"
#include "tools/common/run_folder.h"
#include "tools/stylize/networks.h"
#include "tools/stylize/samples.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

// Styles are shuffled and cropped by numbers of their own, not by those of the contents.
constexpr uint64_t style_stream = 0x5354594C45;

// Steps whose losses may wait on the device: so late is a bad one seen.
constexpr int64_t most_waiting = 100;

// Batches without end of one set, from where it stands.
class Pictures {
 public:
  Pictures(const std::string& path, const TrainStylizerSettings& settings, uint64_t seed)
      : source_(data::open_image_tree(path)), settings_(settings), seed_(seed) {}

  const data::ImageSource& source() const { return *source_; }

  Tensor next() {
    if (!loader_) begin();
    const std::optional<data::Batch> batch = loader_->next();
    GESTALT_CHECK(batch, "{}: there are no more epochs", source_->location());
    epoch_ = batch->epoch;
    step_ = batch->step + 1;
    return batch->images;
  }

  // The reasons that were not told before.
  std::vector<std::string> newly_unreadable() {
    std::vector<std::string> reasons;
    for (const auto& [index, reason] : loader_->unreadable()) {
      if (told_.insert(reason).second) reasons.push_back(reason);
    }
    return reasons;
  }

  StateDict state_dict() const {
    return {optim::number("epoch", epoch_), optim::number("step", step_)};
  }
  void load_state_dict(const StateDict& state) {
    epoch_ = optim::require_integer("checkpoint", state, "epoch");
    step_ = optim::require_integer("checkpoint", state, "step");
  }

 private:
  // A set smaller than a batch is taken several times, each with crops of its own.
  data::ImageSourcePtr repeated() const {
    const int64_t size = source_->size();
    if (size >= settings_.batch_size) return source_;
    std::vector<int64_t> indices;
    while (static_cast<int64_t>(indices.size()) < settings_.batch_size) {
      for (int64_t i = 0; i < size; ++i) indices.push_back(i);
    }
    return data::subset(source_, indices);
  }

  void begin() {
    constexpr int64_t last_epoch = (int64_t{1} << 24) - 1;  // of data::sample_state
    data::LoaderOptions options;
    options.sampler = {
        .batch_size = settings_.batch_size, .shuffle = true, .drop_last = true, .seed = seed_};
    options.epoch = epoch_;
    options.step = step_;
    options.epochs = last_epoch - epoch_;
    options.workers = settings_.workers;
    options.normalization = data::unit_range;
    loader_.emplace(repeated(),
                    data::square_transform({.resize = static_cast<int>(settings_.image_size),
                                            .crop = static_cast<int>(settings_.crop_size)}),
                    options);
  }

  data::ImageSourcePtr source_;
  const TrainStylizerSettings& settings_;
  uint64_t seed_;
  std::optional<data::Loader> loader_;
  int64_t epoch_ = 0, step_ = 0;  // of the next batch
  std::set<std::string> told_;
};

// Where the training stands, and the sums of the steps since the last row of metrics.csv.
struct Position {
  int64_t step = 0, summed = 0;
  double loss = 0, content_loss = 0, style_loss = 0;
};

class StylizerTraining {
 public:
  StylizerTraining(const TrainStylizerSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        folder_(
            fs::path(settings.output) / settings.name, "train_stylizer",
            R"(decoder\.safetensors|metrics\.csv|curves\.(gp|png)|samples/step_[0-9]{6,}\.jpg)"),
        metrics_({"step", "learning_rate", "loss", "content_loss", "style_loss"}) {}

  int run() {
    as_usage([&] { check_settings(settings_); });
    contents_.emplace(settings_.content, settings_, common_.seed);
    styles_.emplace(settings_.style, settings_, common_.seed ^ style_stream);
    nlohmann::json config = to_json(settings_, common_);
    // Not of --decoder: what it held is in the run's own checkpoint, and may be the run's.
    config["files"] = hashes_by_path({settings_.encoder});
    for (const Pictures* each : {&*contents_, &*styles_}) {
      const data::ImageSource& source = each->source();
      config["images"][source.location()] = image_set(source, hash_listing(source));
    }
    if (settings_.resume) {
      folder_.check_resume(config, to_json(TrainStylizerSettings{}, CommonOptions{}),
                           {"max_iter", "workers", "save_every_steps", "sample_every_steps"});
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
    logger_ = folder_.start(config, common_, settings_.resume);
    fs::create_directories(folder_ / "samples");
    logger_->info("encoder: {}", encoder_text_);
    logger_->info("{} contents, {} styles, {} steps of {} on {}", contents_->source().size(),
                  styles_->source().size(), settings_.steps, settings_.batch_size,
                  to_string(default_device()));
    if (settings_.resume) {
      logger_->info("goes on behind step {}", position_.step);
    } else {
      save();  // a good state to keep, whatever happens
    }
    metrics_.write_csv(folder_ / "metrics.csv");  // without rows of steps that come again
    return train();
  }

 private:
  void make_networks() {
    encoder_ = load_adain_encoder(settings_.encoder, encoder_text_);
    if (settings_.encoder.empty()) {
      encoder_text_ += ": the decoder fits only it (stylize_images without --vgg)";
    }
    decoder_ = settings_.decoder.empty() ? random_decoder() : load_adain_decoder(settings_.decoder);
    decoder_->set_requires_grad(true);
    decoder_->train();
    decoder_->to(default_device());
    optimizer_.emplace(decoder_->parameters(),
                       optim::AdamOptions{.learning_rate = settings_.learning_rate});
    const double decay = settings_.learning_rate_decay;
    schedule_.emplace(*optimizer_, [decay](int64_t step) { return 1 / (1 + decay * step); });
  }

  std::shared_ptr<nn::Sequential> random_decoder() const {
    Generator generator(common_.seed);
    auto decoder = models::make_adain_decoder(generator);
    models::init_adain_decoder(*decoder, generator);
    return decoder;
  }

  int train() {
    EventFile events(folder_.path());
    Progress progress("train_stylizer", settings_.steps, common_.quiet);
    progress.update(position_.step, "");
    while (position_.step < settings_.steps) {
      step();
      const bool is_last = position_.step == settings_.steps;
      if (is_last || position_.step % settings_.log_every == 0) add_row(events);
      if (is_last || is_multiple(settings_.sample_every)) save_samples();
      if (is_last || is_multiple(settings_.save_every)) save();
      progress.update(position_.step, [&] {
        collect_losses();
        return fmt::format("steps, loss {:.4f}", last_loss_);
      });
      if (!is_last && interrupted()) {
        save();
        progress.finish();
        logger_->info("interrupted and saved; the same command with --resume goes on");
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
    Tensor content = contents_->next(), style = styles_->next();
    // Fewer of one where a picture can't be read.
    const int64_t count = std::min(content.size(0), style.size(0));
    const models::StylizationLoss loss = models::stylization_loss(
        *encoder_, *decoder_, narrow(content, 0, 0, count), narrow(style, 0, 0, count));
    const Tensor total =
        loss.content * settings_.content_weight + loss.style * settings_.style_weight;
    total.backward();
    optimizer_->step();
    optimizer_->zero_grad();
    schedule_->step();
    ++position_.step;
    if (losses_.full()) collect_losses();
    const auto value = [](const Tensor& scalar) { return reshape(scalar.detach(), {1}); };
    losses_.note(position_.step, cat({value(total), value(loss.content), value(loss.style)}, 0));
  }

  // Waits for the device. Throws Error for a loss that is not finite; weights of that kind are in
  // no file then, because every file is written behind this.
  void collect_losses() {
    for (const LossRing::Step& each : losses_.take()) {
      GESTALT_CHECK(
          std::isfinite(each.losses[0]),
          "the loss is {} in step {}; the last checkpoint stays (a smaller --lr may help)",
          each.losses[0], each.step);
      last_loss_ = each.losses[0];
      ++position_.summed;
      position_.loss += each.losses[0];
      position_.content_loss += each.losses[1];
      position_.style_loss += each.losses[2];
    }
  }

  // The mean of the steps since the row before.
  void add_row(EventFile& events) {
    collect_losses();
    const auto count = static_cast<double>(position_.summed);
    metrics_.add({static_cast<double>(position_.step), optimizer_->learning_rate(),
                  position_.loss / count, position_.content_loss / count,
                  position_.style_loss / count});
    metrics_.append_csv(folder_ / "metrics.csv");
    metrics_.write_events(events);
    logger_->info("step {}: loss {:.4f}, content {:.4f}, style {:.4f}", position_.step,
                  position_.loss / count, position_.content_loss / count,
                  position_.style_loss / count);
    position_ = {.step = position_.step};
    for (Pictures* each : {&*contents_, &*styles_}) {
      for (const std::string& reason : each->newly_unreadable()) {
        logger_->warn("skipped: {}", reason);
      }
    }
  }

  void save_samples() {
    collect_losses();
    samples_->save(folder_ / "samples" / fmt::format("step_{:06}.jpg", position_.step),
                   fmt::format("step {}", position_.step), encoder_, decoder_);
    draw_curves(folder_.path(), metrics_,
                {{"loss (weighted)", {{"loss", "loss"}}, "set logscale y"},
                 {"losses", {{"content_loss", "content"}, {"style_loss", "style"}}, ""}});
  }

  void save() {
    collect_losses();
    write_safetensors((folder_ / "decoder.safetensors").string(), decoder_->state_dict());
    StateDict state;
    add_part(state, "decoder.", decoder_->state_dict());
    add_part(state, "optimizer.", optimizer_->state_dict());
    add_part(state, "schedule.", schedule_->state_dict());
    add_part(state, "contents.", contents_->state_dict());
    add_part(state, "styles.", styles_->state_dict());
    add_part(state, "metrics.", metrics_.state_dict());
    add_part(state, "position.",
             {optim::number("step", position_.step), optim::number("summed", position_.summed),
              optim::number("loss", position_.loss),
              optim::number("content_loss", position_.content_loss),
              optim::number("style_loss", position_.style_loss)});
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
    const auto number = [&](const char* name) {
      return optim::require_number("checkpoint", position, name);
    };
    position_ = {.step = optim::require_integer("checkpoint", position, "step"),
                 .summed = optim::require_integer("checkpoint", position, "summed"),
                 .loss = number("loss"),
                 .content_loss = number("content_loss"),
                 .style_loss = number("style_loss")};
  }

  const TrainStylizerSettings& settings_;
  const CommonOptions& common_;
  RunFolder folder_;
  Logger logger_;
  std::optional<Pictures> contents_, styles_;
  std::string encoder_text_;
  std::shared_ptr<nn::Sequential> encoder_, decoder_;
  std::optional<optim::Adam> optimizer_;
  std::optional<optim::LambdaSchedule> schedule_;
  std::optional<Samples> samples_;
  Metrics metrics_;
  Position position_;
  LossRing losses_{most_waiting, 3};  // the whole loss, of the contents, of the styles
  double last_loss_ = 0;
};

}  // namespace

int run_stylizer_training(const TrainStylizerSettings& settings, const CommonOptions& common) {
  catch_interrupts();
  return StylizerTraining(settings, common).run();
}

}  // namespace gestalt::tools
