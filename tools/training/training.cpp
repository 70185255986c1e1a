#include "tools/training/training.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/dataset.h"
#include "data/loader.h"
#include "kernels/error.h"
#include "nn/dropout.h"
#include "optim/schedule.h"
#include "optim/state.h"
#include "tensor/io/checkpoint.h"
#include "tools/common/config.h"
#include "tools/common/event_file.h"
#include "tools/common/image_hash.h"
#include "tools/common/not_finite.h"
#include "tools/common/output.h"
#include "tools/common/progress.h"
#include "tools/common/run_folder.h"
#include "tools/training/evaluation.h"
#include "tools/training/history.h"
#include "tools/training/setup.h"
#include "tools/training/step.h"
#include "tools/training/step_log.h"
#include "tools/training/step_results.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Where in the training the next step is, and what its epoch has counted so far.
struct Position {
  int64_t epoch = 0, step = 0;      // from 0
  int64_t images = 0, correct = 0;  // correct and loss: of the results collected so far
  double loss = 0;                  // summed over images
  double step_loss = 0;             // summed over steps
};

// For RunFolder: the files of an earlier run, whose sets its settings tell.
std::string outputs_of(const nlohmann::json& settings) {
  TrainSettings run;
  run.sin_folder = settings.value("use_sin_val_folder", "");
  run.eval_folders = settings.value("eval_folder", run.eval_folders);
  std::string outputs = R"(metrics\.csv|curves\.(gp|png)|step_loss\.npy|all_train_loss\.npy|)"
                        R"(last\.safetensors|best_val\.safetensors|eval\.npy|)"
                        R"(steps/events\.out\.tfevents\.[0-9]+\.gestalt\.[0-9]+)";
  for (const NamedFolder& set : evaluation_folders(run)) {
    outputs += format(R"(|best_{}\.safetensors|eval_{}\.npy)", set.name, set.name);
  }
  return outputs;
}

class Training {
 public:
  Training(const TrainSettings& settings, const CommonOptions& common)
      : settings_(settings),
        common_(common),
        folder_(fs::path(settings.output) / settings.name, "train_classifier", outputs_of),
        step_log_(settings.log_every_steps) {}

  int run() {
    // What can fail comes before the first write: a bad start leaves an earlier run as it is.
    as_usage([&] { check_settings(settings_); });
    open_data();
    const nlohmann::json config = config_of_run();
    check_pretrained();
    if (settings_.resume) check_resume(config);
    const ClassifierNetwork made = make_network(settings_, common_, *sets_.train);
    network_ = made.network;
    const ClassifierStepOptions step = step_of_network();
    logger_ = folder_.start(config, common_, settings_.resume, {"steps"});
    for (const std::string& line : made.description) logger_->info(line);
    logger_->info("steps in {}{}{}", to_string(step.dtype),
                  step.format == Format::channels_last ? ", channels-last" : "",
                  step.capture ? ", recorded once and replayed" : "");
    for (const std::string& line : sets_.passed_over) logger_->warn(line);
    make_trainer(step);
    if (settings_.resume) load_checkpoint();
    if (position_.epoch == settings_.total_epochs) {
      history_->write(folder_.path());
      logger_->info("the run in {} is finished", folder_.path().string());
      return exit_done;
    }
    if (!settings_.resume) save_checkpoint();  // a good state to keep, whatever happens
    events_.emplace(folder_.path(), position_.epoch + 1);
    step_events_.emplace(folder_ / "steps", steps_done() + 1);
    progress_.emplace("train_classifier", settings_.total_epochs * sets_.train->size(),
                      common_.quiet);

    while (position_.epoch < settings_.total_epochs) {
      if (!run_epoch() || !finish_epoch()) {
        progress_->finish();
        logger_->info("interrupted and saved; the same command with --resume continues");
        return exit_interrupted;
      }
    }
    progress_->finish();
    logger_->info("done: {}", folder_.path().string());
    return exit_done;
  }

 private:
  void open_data() {
    sets_ = open_sets(settings_);
    check_outside(folder_.path(), sets_.train->location());
    for (const data::ImageSourcePtr& set : sets_.evaluation) {
      check_outside(folder_.path(), set->location());
    }
  }

  nlohmann::json config_of_run() const {
    nlohmann::json config = to_json(settings_, common_);
    if (settings_.val_fraction > 0) config["split_rule"] = split_rule;
    config["files"] = hashes_by_role({{"pretrained", settings_.pretrained}});
    config["images"]["train"] = image_set(*sets_.train, hash_listing(*sets_.train));
    for (size_t i = 0; i < sets_.names.size(); ++i) {
      const data::ImageSource& set = *sets_.evaluation[i];
      config["images"][sets_.names[i]] = image_set(set, hash_listing(set));
    }
    return config;
  }

  void check_resume(const nlohmann::json& config) {
    TrainSettings before;  // of runs that were begun before there were these flags
    before.channels_last = Choice::off;
    check_split_rule("--resume", settings_of_config(folder_.path(), "train_classifier"), settings_);
    folder_.check_resume(
        config, to_json(before, CommonOptions{}),
        {"workers", "save_every_steps", "log_every_steps", "capture", "split_rule"},
        {{"data_folder_path", "images", "train"},
         {"use_sin_val_folder", "images", "sin"},
         {"eval_folder", "images", "each by its name"},
         {"pretrained", "files", "pretrained"}});
  }

  ClassifierStepOptions step_of_network() {
    check_last_batch(*network_, settings_, sets_.train->size());
    ClassifierStepOptions step;
    as_usage([&] { step = step_options(settings_, *network_); });
    return step;
  }

  void make_trainer(const ClassifierStepOptions& step) {
    optimizer_ = make_optimizer(settings_, network_->parameters());
    step_.emplace(*network_, *optimizer_, step);
    schedule_.emplace(*optimizer_, settings_.total_epochs);
    history_.emplace(sets_.names);
  }

  // Weights of the run itself would be written over, and --resume would find others.
  void check_pretrained() const {
    check_not_input(folder_ / "last.safetensors", settings_.pretrained);
    for (const std::string& name : sets_.names) {
      check_not_input(folder_ / format("best_{}.safetensors", name), settings_.pretrained);
    }
    if (!settings_.resume) folder_.check_keeps("--pretrained", settings_.pretrained);
  }

  // False where it was interrupted, and saved.
  bool run_epoch() {
    const auto size = static_cast<int>(settings_.image_size);
    data::LoaderOptions loading;
    loading.sampler = sampler_options();
    loading.epoch = position_.epoch;
    loading.step = position_.step;
    loading.workers = settings_.workers;
    loading.fast_jpeg = settings_.fast_jpeg;
    data::Loader loader(sets_.train, data::train_transform({.size = size}), loading);
    const Clock::time_point started = Clock::now();
    const int64_t first_image = position_.images;
    told_ = {started, first_image};
    network_->train();
    while (const auto batch = loader.next()) {
      step(*batch);
      position_.step = batch->step + 1;
      if (results_.full()) collect_results();
      show_progress();
      if (position_.step == steps_per_epoch()) break;
      if (interrupted()) {
        save_checkpoint();
        return false;
      }
      if (settings_.save_every_steps > 0 && position_.step % settings_.save_every_steps == 0) {
        save_checkpoint();
      }
    }
    collect_results();
    images_per_second_ = static_cast<double>(position_.images - first_image) /
                         std::chrono::duration<double>(Clock::now() - started).count();
    report_unreadable("train", loader.unreadable());
    save_checkpoint();  // an evaluation is long: it is repeated, not the steps before it
    return true;
  }

  // Each image once.
  void report_unreadable(const std::string& set, const std::map<int64_t, std::string>& unreadable) {
    for (const auto& [index, reason] : unreadable) {
      if (reported_.emplace(set, index).second) logger_->warn("skipped: {}", reason);
    }
  }

  data::SamplerOptions sampler_options() const {
    return {.batch_size = settings_.batch_size, .shuffle = true, .seed = common_.seed};
  }
  int64_t steps_per_epoch() const {
    return data::BatchSampler(sets_.train->size(), sampler_options()).steps();
  }
  // Of the whole training.
  int64_t steps_done() const { return position_.epoch * steps_per_epoch() + position_.step; }

  void step(const data::Batch& batch) {
    const int64_t number = position_.epoch * steps_per_epoch() + batch.step;
    nn::seed_dropout(*network_, dropout_seed(common_.seed), static_cast<uint64_t>(number));
    const ClassifierStep::Result result = step_->run(batch.images, batch.labels);
    results_.add(batch.step, result.loss, result.logits, batch.labels);
    position_.images += batch.images.size(0);
  }

  // Before any file is written: a loss is that of the weights before its step.
  void check_weights() {
    if (position_.step == 0) return;
    const auto tensor = find_not_finite(network_->state_dict());
    GESTALT_CHECK(!tensor,
                  "{} is not finite after step {} of epoch {}; the last checkpoint stays (a "
                  "smaller --lr may help)",
                  *tensor, position_.step, position_.epoch + 1);
  }

  // Waits for the device. Throws Error for a loss that is not finite.
  void collect_results() {
    std::vector<StepLog::Row> rows;
    for (const StepResult& result : results_.take()) {
      GESTALT_CHECK(std::isfinite(result.loss),
                    "the loss is {} in epoch {}, step {}; the last checkpoint stays (a smaller "
                    "--lr may help)",
                    result.loss, position_.epoch + 1, result.step + 1);
      history_->add_step(result.loss);
      position_.loss += result.loss * static_cast<double>(result.images);
      position_.step_loss += result.loss;
      position_.correct += result.correct;
      const int64_t step = position_.epoch * steps_per_epoch() + result.step + 1;
      if (const auto row = step_log_.add(step, result.loss)) rows.push_back(*row);
    }
    if (!rows.empty()) tell(rows);
  }

  // As late as the results come, so that nobody waits for the device to tell of a step. The rate is
  // that since the rows before, or the epoch's start.
  void tell(const std::vector<StepLog::Row>& rows) {
    const Clock::time_point now = Clock::now();
    const double rate = static_cast<double>(position_.images - told_.images) /
                        std::chrono::duration<double>(now - told_.time).count();
    told_ = {now, position_.images};
    progress_->finish();
    for (const StepLog::Row& row : rows) {
      logger_->info("step {} (epoch {}/{}): loss {:.4f}, {:.1f} images/s", row.step,
                    position_.epoch + 1, settings_.total_epochs, row.loss, rate);
      step_events_->scalar("step/loss", row.step, row.loss);
      step_events_->scalar("images_per_second", row.step, rate);
    }
    step_events_->flush();  // before a checkpoint behind them
  }

  // False where it was interrupted; the checkpoint after the epoch's last step is the one to go on
  // with.
  bool finish_epoch() {
    const auto images = static_cast<double>(position_.images);
    EpochRecord record{
        .learning_rate = optimizer_->learning_rate(),
        .train = {position_.loss / images, static_cast<double>(position_.correct) / images},
        .published_loss = position_.step_loss / images,
        .sets = {}};
    for (const data::ImageSourcePtr& set : sets_.evaluation) {
      const auto evaluated =
          evaluate(*network_, set, evaluation_options(settings_), [] { return interrupted(); });
      if (!evaluated) return false;
      report_unreadable(set->location(), evaluated->unreadable);
      GESTALT_CHECK(std::isfinite(evaluated->result.loss),
                    "the loss of {} is {} after epoch {}, as it would be again with --resume; "
                    "begin anew with a smaller --lr ({})",
                    set->location(), evaluated->result.loss, position_.epoch + 1,
                    position_.epoch > 0 ? "last.safetensors has the weights of the epoch before"
                                        : "no epoch was whole");
      record.sets.push_back(evaluated->result);
    }
    const std::vector<size_t> improved = history_->add_epoch(record);
    schedule_->step();
    position_ = {.epoch = position_.epoch + 1};

    const StateDict weights = network_->state_dict();
    for (const size_t set : improved) {
      write_safetensors((folder_ / format("best_{}.safetensors", sets_.names[set])).string(),
                        weights);
    }
    write_safetensors((folder_ / "last.safetensors").string(), weights);
    history_->write(folder_.path());
    write_events(record);
    save_checkpoint();  // last: until it stands, the epoch is not over
    log_epoch(record);
    return true;
  }

  void log_epoch(const EpochRecord& record) {
    std::string line =
        fmt::format("epoch {}/{}: loss {:.4f}, accuracy {:.2f} %", position_.epoch,
                    settings_.total_epochs, record.train.loss, 100 * record.train.accuracy);
    for (size_t set = 0; set < record.sets.size(); ++set) {
      const Best& best = history_->best(set);
      line += fmt::format("; {} {:.2f} % (best {:.2f} % in epoch {})", sets_.names[set],
                          100 * record.sets[set].accuracy, 100 * best.accuracy, best.epoch);
    }
    // None where this process had only the evaluation to repeat.
    if (images_per_second_ > 0) line += fmt::format("; {:.1f} images/s", images_per_second_);
    progress_->finish();
    logger_->info(line);
  }

  void write_events(const EpochRecord& record) {
    const int64_t epoch = position_.epoch;
    events_->scalar("learning_rate", epoch, record.learning_rate);
    events_->scalar("loss/train", epoch, record.train.loss);
    events_->scalar("accuracy/train", epoch, record.train.accuracy);
    for (size_t set = 0; set < record.sets.size(); ++set) {
      events_->scalar("loss/" + sets_.names[set], epoch, record.sets[set].loss);
      events_->scalar("accuracy/" + sets_.names[set], epoch, record.sets[set].accuracy);
    }
    events_->flush();
  }

  void show_progress() {
    progress_->update(position_.epoch * sets_.train->size() + position_.images, [&] {
      collect_results();
      return fmt::format("images, epoch {}/{}, loss {:.4f}", position_.epoch + 1,
                         settings_.total_epochs, history_->step_losses().back());
    });
  }

  void save_checkpoint() {
    check_weights();
    collect_results();
    StateDict state;
    add_part(state, "model.", network_->state_dict());
    add_part(state, "optimizer.", optimizer_->state_dict());
    add_part(state, "schedule.", schedule_->state_dict());
    add_part(state, "history.", history_->state_dict());
    add_part(state, "step_log.", step_log_.state_dict());
    add_part(
        state, "position.",
        {optim::number("epoch", position_.epoch), optim::number("step", position_.step),
         optim::number("images", position_.images), optim::number("correct", position_.correct),
         optim::number("loss", position_.loss), optim::number("step_loss", position_.step_loss)});
    folder_.save_checkpoint(state);
  }

  void load_checkpoint() {
    const StateDict state = folder_.load_checkpoint();
    network_->load_state_dict(part_of(state, "model."));
    optimizer_->load_state_dict(part_of(state, "optimizer."));
    schedule_->load_state_dict(part_of(state, "schedule."));
    history_->load_state_dict(part_of(state, "history."));
    const StateDict position = part_of(state, "position.");
    const auto integer = [&](const char* name) {
      return optim::require_integer("checkpoint", position, name);
    };
    position_ = {.epoch = integer("epoch"),
                 .step = integer("step"),
                 .images = integer("images"),
                 .correct = integer("correct"),
                 .loss = optim::require_number("checkpoint", position, "loss")};
    // In a checkpoint of before it was kept it is not known.
    const bool known = find_tensor(position, "step_loss") != nullptr;
    position_.step_loss = known ? optim::require_number("checkpoint", position, "step_loss")
                          : position_.step > 0 ? std::numeric_limits<double>::quiet_NaN()
                                               : 0;
    step_log_.load_state_dict(part_of(state, "step_log."), steps_done());
    logger_->info("continues in epoch {}, after step {}", position_.epoch + 1, position_.step);
  }

  const TrainSettings& settings_;
  const CommonOptions& common_;
  RunFolder folder_;
  Logger logger_;
  Sets sets_;
  std::shared_ptr<nn::Module> network_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::optional<ClassifierStep> step_;
  std::optional<optim::CosineSchedule> schedule_;
  std::optional<History> history_;
  std::optional<EventFile> events_;       // over epochs
  std::optional<EventFile> step_events_;  // over steps: of a run beside it, whose start is a step
  std::optional<Progress> progress_;
  StepResults results_;
  StepLog step_log_;
  struct {
    Clock::time_point time;
    int64_t images = 0;
  } told_;  // where the last rows were told
  Position position_;
  std::set<std::pair<std::string, int64_t>> reported_;  // unreadable images, by set
  double images_per_second_ = 0;                        // of this process' part of the epoch
};

}  // namespace

int run_training(const TrainSettings& settings, const CommonOptions& common) {
  catch_interrupts();
  return Training(settings, common).run();
}

}  // namespace gestalt::tools
