#include "tools/training/history.h"

#include "kernels/error.h"
#include "optim/state.h"
#include "tools/common/npy.h"
#include "tools/common/output.h"

namespace gestalt::tools {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

// Two panels over epochs; column 3 of metrics.csv is train's loss, 4 its accuracy, and so on.
std::string plot_script(const std::vector<std::string>& sets) {
  const auto panel = [&](const char* quantity, size_t column) {
    std::string text = format(
        "set ylabel \"{}\"\nplot \"metrics.csv\" using 1:{} with lines "
        "linewidth 2 title \"train\"",
        quantity, column);
    for (const std::string& set : sets) {
      column += 2;
      text += format(", \\\n     \"\" using 1:{} with lines linewidth 2 title \"{}\"", column, set);
    }
    return text + "\n";
  };
  return R"(# Loss and accuracy over epochs; edit and run `gnuplot curves.gp`.
set terminal pngcairo size 1100,440 font "sans,11"
set output "curves.png"
set datafile separator ","
set key autotitle columnhead
set key noenhanced
set xlabel "epoch"
set grid linecolor rgb "#dddddd"
set multiplot layout 1,2
)" + panel("cross-entropy", 3) +
         "set yrange [0:1]\nset key bottom right\n" + panel("accuracy (top-1)", 4);
}

}  // namespace

std::vector<size_t> History::add_epoch(EpochRecord record) {
  epochs_.push_back(std::move(record));
  std::vector<size_t> improved;
  for (size_t set = 0; set < sets_.size(); ++set) {
    const double accuracy = epochs_.back().sets[set].accuracy;
    if (accuracy <= best_[set].accuracy) continue;
    best_[set] = {accuracy, static_cast<int64_t>(epochs_.size())};
    improved.push_back(set);
  }
  return improved;
}

void History::write(const std::filesystem::path& folder) const {
  std::string csv = "epoch,learning_rate,train_loss,train_accuracy";
  for (const std::string& set : sets_) csv += format(",{}_loss,{}_accuracy", set, set);
  csv += '\n';
  for (size_t i = 0; i < epochs_.size(); ++i) {
    const EpochRecord& epoch = epochs_[i];
    csv += format("{},{},{},{}", i + 1, number(epoch.learning_rate), number(epoch.train.loss),
                  number(epoch.train.accuracy));
    for (const SetResult& set : epoch.sets) {
      csv += format(",{},{}", number(set.loss), number(set.accuracy));
    }
    csv += '\n';
  }
  write_text(folder / "metrics.csv", csv);
  write_npy(folder / "all_train_loss.npy", step_losses_);
  for (size_t set = 0; set < sets_.size(); ++set) {
    std::vector<double> accuracies;
    for (const EpochRecord& epoch : epochs_) accuracies.push_back(epoch.sets[set].accuracy);
    write_npy(folder / (sets_[set] == "val" ? "eval.npy" : "eval_" + sets_[set] + ".npy"),
              accuracies);
  }
  if (epochs_.size() > 1) run_gnuplot(folder / "curves.gp", plot_script(sets_));
}

StateDict History::state_dict() const {
  std::vector<double> rows, best;
  for (const EpochRecord& epoch : epochs_) {
    rows.insert(rows.end(), {epoch.learning_rate, epoch.train.loss, epoch.train.accuracy});
    for (const SetResult& set : epoch.sets) rows.insert(rows.end(), {set.loss, set.accuracy});
  }
  for (const Best& each : best_) {
    best.insert(best.end(), {each.accuracy, static_cast<double>(each.epoch)});
  }
  return {optim::numbers("step_losses", step_losses_), optim::numbers("epochs", rows),
          optim::numbers("best", best)};
}

void History::load_state_dict(const StateDict& state) {
  const auto take = [&](const char* name) {
    return optim::require_numbers("history", state, name);
  };
  const std::vector<double> rows = take("epochs"), best = take("best");
  const size_t columns = 3 + 2 * sets_.size();
  GESTALT_CHECK(rows.size() % columns == 0 && best.size() == 2 * sets_.size(),
                "the checkpoint is of other evaluation sets");
  step_losses_ = take("step_losses");
  epochs_.clear();
  for (size_t at = 0; at < rows.size(); at += columns) {
    EpochRecord epoch{rows[at], {rows[at + 1], rows[at + 2]}, {}};
    for (size_t i = at + 3; i < at + columns; i += 2) epoch.sets.push_back({rows[i], rows[i + 1]});
    epochs_.push_back(std::move(epoch));
  }
  for (size_t set = 0; set < sets_.size(); ++set) {
    best_[set] = {best[2 * set], static_cast<int64_t>(best[2 * set + 1])};
  }
}

}  // namespace gestalt::tools
