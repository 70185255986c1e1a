#include "tools/synthesis/experiment.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "data/encode.h"
#include "kernels/error.h"
#include "tensor/counted.h"
#include "tensor/io/atomic_file.h"
#include "tensor/ops/shape.h"
#include "tools/common/config.h"
#include "tools/common/folder_lock.h"
#include "tools/common/log.h"
#include "tools/common/output.h"
#include "tools/common/passed_over.h"
#include "tools/common/progress.h"
#include "tools/synthesis/batch.h"
#include "tools/synthesis/initial.h"
#include "tools/synthesis/network.h"
#include "tools/synthesis/report.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// More lost work than this would annoy.
constexpr std::chrono::seconds checkpoint_interval{10};

class Experiment {
 public:
  Experiment(const std::string& tool, const SynthesisSettings& settings,
             const CommonOptions& common)
      : tool_(tool), settings_(settings), common_(common), started_(Clock::now()) {}

  int run() {
    // Whatever is wrong with the settings and files is found here, before anything is written.
    check_settings(settings_);
    jobs_ = make_jobs(settings_, common_.seed);
    const std::set<fs::path> inputs = input_files(jobs_, settings_);
    check_tensors_file(inputs);
    checkpoints_in(checkpoint_folder(settings_));  // throws where they can't go there
    config_ = to_json(settings_, common_);
    // Weights take about as long to hash as to load: both at once.
    std::future<nlohmann::json> hashes =
        std::async(std::launch::async, [&inputs, threads = num_threads()] {
          set_num_threads(threads);  // each thread's own
          return hashes_by_path(inputs);
        });
    if (settings_.resume) {
      keep_hashes(hashes.get());
      // A finished run needs none: nothing is written then.
      if (!is_finished()) lock_.emplace(settings_.output);
      check_can_resume(settings_.output, tool_, config_,
                       to_json(SynthesisSettings{}, CommonOptions{}), free_settings);
      for (Job& job : jobs_) job.check_checkpoint();
      if (is_finished()) {
        if (!common_.quiet) fmt::print("the run in {} is finished\n", settings_.output);
        return exit_done;
      }
    }
    context(default_device()).set_exact(settings_.exact);
    const TextureNetwork made = make_network(settings_);
    network_ = made.network;
    init_images_ = read_init_images(settings_, jobs_.size());
    check_some_image();
    if (!settings_.resume) keep_hashes(hashes.get());

    begin_run(made.description);
    progress_.emplace(tool_, settings_.steps * static_cast<int64_t>(jobs_.size()), common_.quiet);
    for (size_t first = 0; first < jobs_.size() && !interrupted(); first += batch_size()) {
      run_batch(first);
    }
    progress_->finish();
    return end_run();
  }

 private:
  void check_tensors_file(const std::set<fs::path>& inputs) const {
    if (settings_.save_tensors.empty()) return;
    if (jobs_.size() > batch_size()) {
      throw UsageError(format("--save_tensors holds one batch: {} pictures need --batch_size {}",
                              jobs_.size(), jobs_.size()));
    }
    for (const fs::path& input : inputs) check_not_input(settings_.save_tensors, input);
  }

  // The folder of checkpoints may stay for what a user has there; a run that saved one has none
  // left behind its losses alone. Runs of older versions that were interrupted before the first
  // evaluation left a table without any.
  bool is_finished() const {
    const fs::path checkpoints = checkpoint_folder(settings_);
    return !fs::exists(checkpoints) ||
           (checkpoints_in(checkpoints).empty() && has_losses(settings_));
  }

  // Those that an earlier run of the tool wrote there; others are somebody else's.
  void remove_reports() const {
    const nlohmann::json earlier = settings_of_config(settings_.output, tool_);
    if (earlier.is_null()) return;
    for (const std::string name : report_files) {
      if (name == sheet_file && earlier.value("sheet", nlohmann::json()) != true) continue;
      fs::remove(fs::path(settings_.output) / name);
    }
  }

  void keep_hashes(nlohmann::json hashes) {
    config_["files"] = std::move(hashes);
    for (Job& job : jobs_) {
      const nlohmann::json& hash = config_["files"][job.source_file().string()];
      // None where the file is gone: it is skipped when it is read.
      job.set_source_hash(hash.is_string() ? hash.get<std::string>() : "");
    }
  }

  // The folder and what stands in it before the first step. network: what is said of it.
  void begin_run(const std::string& network) {
    prepare_output_folder(settings_.output, tool_);
    if (!lock_) lock_.emplace(settings_.output);
    if (!settings_.save_tensors.empty()) check_can_write(settings_.save_tensors);
    const fs::path checkpoints = checkpoint_folder(settings_);
    logger_ = begin_log(settings_.output, common_, settings_.resume, [&] {
      remove_checkpoints(checkpoints);
      remove_reports();
    });
    fs::create_directories(checkpoints);
    write_config(settings_.output, tool_, config_);
    logger_->info("{}: {} on {}, {}{}", tool_, counted(jobs_.size(), "picture"),
                  to_string(default_device()), network,
                  is_captured(settings_) ? "; evaluations are recorded once and replayed" : "");
    if (!lock_->warning().empty()) logger_->warn(lock_->warning());
    std::vector<const data::ImageSource*> sources;
    for (const Job& job : jobs_) sources.push_back(&job.images());
    for (const std::string& line : passed_over(sources)) logger_->warn(line);
  }

  int end_run() {
    const auto has_begun = [](const Job& job) { return !job.losses().empty(); };
    const bool any_has_begun = std::any_of(jobs_.begin(), jobs_.end(), has_begun);
    if (any_has_begun || !interrupted()) write_losses(settings_, jobs_);
    if (interrupted()) {
      logger_->info(settings_.resume || any_has_begun
                        ? "interrupted and saved; the same command with --resume continues"
                        : "interrupted before the first evaluation: nothing to save");
      return exit_interrupted;
    }
    if (settings_.sheet) write_sheet(tool_, settings_, jobs_);
    remove_checkpoints(checkpoint_folder(settings_));
    logger_->info("{} in {}, {} skipped", counted(jobs_.size() - skipped_, "picture"),
                  settings_.output, skipped_);
    return exit_done;
  }

  size_t batch_size() const { return static_cast<size_t>(settings_.batch); }

  void check_some_image() {
    std::set<fs::path> unreadable;
    for (Job& job : jobs_) {
      try {
        return job.load_source();
      } catch (const Error& error) {
        unreadable.insert(job.source_file());
        if (&job != &jobs_.back()) continue;
        if (unreadable.size() == 1) throw;
        throw Error(format("none of the {} images can be read; the last: {}", unreadable.size(),
                           error.what()));
      }
    }
  }

  // False for an image of a folder that can't be read: the others are made without it.
  bool load_source(Job& job) {
    try {
      job.load_source();
      return true;
    } catch (const Error& error) {
      ++skipped_;
      job.forget_progress();
      progress_->finish();  // the warning is a line of its own
      logger_->warn("skipped: {}", error.what());
      return false;
    }
  }

  void run_batch(size_t first) {
    std::vector<Job*> jobs;
    for (size_t i = first; i < std::min(first + batch_size(), jobs_.size()); ++i) {
      if (load_source(jobs_[i])) jobs.push_back(&jobs_[i]);
    }
    if (jobs.empty()) return;
    Batch batch(jobs, network_, settings_);
    const Tensor initial = initial_parameters(jobs, batch.bounded(), init_images_, settings_);
    for (size_t n = 0; n < jobs.size(); ++n) {
      if (settings_.resume && jobs[n]->resume()) continue;
      jobs[n]->start(narrow(initial, 0, static_cast<int64_t>(n), 1));
      jobs[n]->save_checkpoint();  // a good state to keep, whatever happens
    }

    bool idle = false;
    while (true) {
      for (Job* job : batch.advance(interrupted(), idle)) step_done(batch, *job);
      if (idle) break;
      if (!std::exchange(evaluated_, true)) {
        logger_->info("first evaluation {:.2f} s after the start",
                      std::chrono::duration<double>(Clock::now() - started_).count());
      }
      show_progress(first);
    }
    for (Job* job : jobs) {
      job->save_checkpoint();
      if (job->is_finished()) save_picture(batch, *job, job->picture_path());
    }
    if (!settings_.save_tensors.empty() && !interrupted()) write_tensors(settings_, batch);
    for (Job* job : jobs) job->release();
  }

  void step_done(const Batch& batch, Job& job) {
    if (settings_.save_every > 0 && job.steps_done() % settings_.save_every == 0) {
      const fs::path folder = fs::path(settings_.output) / "progress";
      fs::create_directories(folder);
      save_picture(batch, job,
                   folder / fmt::format("{}_step_{:05}.jpg", job.name(), job.steps_done()));
    }
    Clock::time_point& last = saved_.try_emplace(&job, Clock::now()).first->second;
    if (Clock::now() - last < checkpoint_interval) return;
    job.save_checkpoint();
    last = Clock::now();
  }

  void show_progress(size_t first) {
    int64_t steps = settings_.steps * static_cast<int64_t>(first);
    double loss = 0;
    for (size_t i = first; i < std::min(first + batch_size(), jobs_.size()); ++i) {
      steps += jobs_[i].steps_done();
      if (!jobs_[i].losses().empty()) loss = jobs_[i].losses().back();
    }
    progress_->update(steps, fmt::format("loss {:.4g}", loss));
  }

  void save_picture(const Batch& batch, const Job& job, const fs::path& path) {
    data::save_image(path, finish_picture(batch.image_of(job), job.source()));
  }

  std::string tool_;
  const SynthesisSettings& settings_;
  const CommonOptions& common_;
  Clock::time_point started_;
  std::optional<FolderLock> lock_;
  Logger logger_;
  nlohmann::json config_;
  std::vector<Job> jobs_;
  std::shared_ptr<nn::Sequential> network_;
  Tensor init_images_;  // undefined: from noise
  std::optional<Progress> progress_;
  std::map<const Job*, Clock::time_point> saved_;
  bool evaluated_ = false;
  size_t skipped_ = 0;  // jobs whose image can't be read
};

}  // namespace

int run_synthesis(const std::string& tool, const SynthesisSettings& settings,
                  const CommonOptions& common) {
  catch_interrupts();
  return Experiment(tool, settings, common).run();
}

}  // namespace gestalt::tools
