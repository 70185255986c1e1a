#include "tools/fewshot/history.h"

#include <limits>

#include "kernels/error.h"
#include "optim/state.h"
#include "tools/common/gnuplot.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {
namespace {

constexpr const char* failures_name = "rollbacks_in_a_row";  // that is what it counted once

std::vector<std::string> loss_columns() {
  std::vector<std::string> columns = {"step"};
  columns.insert(columns.end(), gan_value_names.begin(), gan_value_names.begin() + gan_losses);
  return columns;
}

std::vector<std::string> evaluation_columns(const GanHistoryOptions& options) {
  std::vector<std::string> figures;
  if (options.standard) figures = {"fid", "fid_deviation", "kid", "kid_deviation"};
  figures.insert(figures.end(), {"fid_paper", "kid_paper"});
  std::vector<std::string> columns = {"step"};
  for (const std::string& figure : figures) {
    columns.push_back(options.untrained ? "untrained_" + figure : figure);
  }
  return columns;
}

// Columns 2 to 5 of metrics.csv are losses; the first FID is column 2 of evaluations.csv, the
// paper's the next to last. Figures that cannot be compared stand on axes of their own.
std::string plot_script(const GanHistoryOptions& options, const std::string& fid) {
  const bool standard = options.standard;
  std::string script =
      format(R"gnuplot(# Losses and FID over steps; edit and run `gnuplot curves.gp`.
set terminal pngcairo size {},{} font "sans,11"
set output "curves.png"
set datafile separator ","
set key noenhanced above
set xlabel "step"
set xrange [0:*]
set grid linetype 1 linecolor rgb "#dddddd"
set multiplot layout {}
set ylabel "loss"
plot "metrics.csv" using 1:2 with lines linewidth 2 title "discriminator, real", \
     "" using 1:4 with lines linewidth 2 title "discriminator, generated", \
     "" using 1:5 with lines linewidth 2 title "generator"
plot "metrics.csv" using 1:3 with lines linewidth 2 title "reconstruction (LPIPS)"
set ylabel "{}" noenhanced
)gnuplot",
             standard ? 1100 : 1500, standard ? 800 : 420, standard ? "2,2" : "1,3", fid);
  if (standard) {
    script += format("plot \"evaluations.csv\" using {} linewidth 2 title \"{}\"\n",
                     options.draws > 1 ? "1:2:3 with yerrorlines" : "1:2 with linespoints",
                     options.draws > 1 ? "standard, mean and deviation" : "standard");
  }
  script += format(
      "plot \"evaluations.csv\" using 1:{} with linespoints linewidth 2 linecolor 2 title "
      "\"paper-compatible{}\"\n",
      standard ? 6 : 2, options.draws > 1 ? ", lowest" : "");
  return script;
}

}  // namespace

GanHistory::GanHistory(const GanHistoryOptions& options)
    : options_(options),
      losses_(loss_columns()),
      evaluations_(evaluation_columns(options)),
      best_(std::numeric_limits<double>::infinity()) {}

void GanHistory::add_step(const std::vector<double>& values) {
  interval_.insert(interval_.end(), values.begin(), values.begin() + gan_losses);
}

void GanHistory::close_interval(int64_t step) {
  std::vector<double> means(gan_losses);
  for (size_t i = 0; i < interval_.size(); ++i) means[i % gan_losses] += interval_[i];
  for (double& value : means) value *= gan_losses / static_cast<double>(interval_.size());
  interval_.clear();
  std::vector<double> row = {static_cast<double>(step)};
  row.insert(row.end(), means.begin(), means.end());
  losses_.add(std::move(row));
}

bool GanHistory::add_evaluation(int64_t step, const FewshotEvaluation& evaluation) {
  std::vector<double> row = {static_cast<double>(step)};
  if (evaluation.standard) {
    const auto& [fid, kid] = *evaluation.standard;
    row.insert(row.end(), {fid.mean, fid.deviation, kid.mean, kid.deviation});
  }
  row.insert(row.end(), {evaluation.paper.fid.chosen, evaluation.paper.kid.chosen});
  evaluations_.add(std::move(row));
  last_evaluation_ = step;
  const double fid =
      evaluation.standard ? evaluation.standard->fid.mean : evaluation.paper.fid.chosen;
  const bool better = fid < best_;
  if (better) {
    best_ = fid;
    best_step_ = step;
  }
  without_best_ = better ? 0 : without_best_ + 1;
  return better;
}

void GanHistory::add_rollback() {
  ++rollbacks_;
  without_best_ = 0;
}

void GanHistory::write_losses(const std::filesystem::path& folder) const {
  losses_.write_csv(folder / "metrics.csv");
}

void GanHistory::append_losses(const std::filesystem::path& folder) const {
  losses_.append_csv(folder / "metrics.csv");
}

void GanHistory::write_evaluations(const std::filesystem::path& folder,
                                   const std::string& fid) const {
  evaluations_.write_csv(folder / "evaluations.csv");
  if (losses_.rows().size() > 1 && !evaluations_.rows().empty()) {
    run_gnuplot(folder / "curves.gp", plot_script(options_, fid));
  }
}

StateDict GanHistory::state_dict() const {
  StateDict state = {optim::numbers("interval", interval_),
                     optim::number("best", best_),
                     optim::number("best_step", best_step_),
                     optim::number("last_evaluation", last_evaluation_),
                     optim::number("without_best", without_best_),
                     optim::number("rollbacks", rollbacks_),
                     optim::number(failures_name, failures_)};
  add_part(state, "losses.", losses_.state_dict());
  add_part(state, "evaluations.", evaluations_.state_dict());
  return state;
}

void GanHistory::load_state_dict(const StateDict& state) {
  const auto integer = [&](const char* name) {
    return optim::require_integer("history", state, name);
  };
  losses_.load_state_dict(part_of(state, "losses."));
  evaluations_.load_state_dict(part_of(state, "evaluations."));
  interval_ = optim::require_numbers("history", state, "interval");
  best_ = optim::require_number("history", state, "best");
  best_step_ = integer("best_step");
  last_evaluation_ = integer("last_evaluation");
  without_best_ = integer("without_best");
  rollbacks_ = integer("rollbacks");
  // Not in checkpoints from before it was counted.
  failures_ = find_tensor(state, failures_name) == nullptr ? 0 : integer(failures_name);
}

}  // namespace gestalt::tools
