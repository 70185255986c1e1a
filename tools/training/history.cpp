#include "tools/training/history.h"

#include <limits>

#include "kernels/error.h"
#include "optim/state.h"
#include "tensor/io/npy.h"

namespace gestalt::tools {
namespace {

std::vector<std::string> columns_of(const std::vector<std::string>& sets) {
  std::vector<std::string> columns = {"epoch", "learning_rate", "train_loss", "train_accuracy"};
  for (const std::string& set : sets)
    columns.insert(columns.end(), {set + "_loss", set + "_accuracy"});
  return columns;
}

size_t accuracy_column(size_t set) {
  return 5 + 2 * set;
}

CurvePanel panel_of(const std::vector<std::string>& sets, const std::string& quantity) {
  CurvePanel panel{.label = "", .curves = {{"train_" + quantity, "train"}}, .settings = ""};
  for (const std::string& set : sets) panel.curves.push_back({set + "_" + quantity, set});
  return panel;
}

void save_vector(const std::filesystem::path& path, const std::vector<double>& values) {
  save_npy(path.string(), Tensor::from_vector(values, {static_cast<int64_t>(values.size())},
                                              {.device = Device{}}));
}

}  // namespace

History::History(std::vector<std::string> sets)
    : sets_(std::move(sets)), epochs_(columns_of(sets_)), best_(sets_.size()) {}

std::vector<size_t> History::add_epoch(const EpochRecord& record) {
  const auto epoch = static_cast<int64_t>(epochs_.rows().size()) + 1;
  std::vector<double> row = {static_cast<double>(epoch), record.learning_rate, record.train.loss,
                             record.train.accuracy};
  std::vector<size_t> improved;
  for (size_t set = 0; set < sets_.size(); ++set) {
    const SetResult& result = record.sets[set];
    row.insert(row.end(), {result.loss, result.accuracy});
    if (result.accuracy <= best_[set].accuracy) continue;
    best_[set] = {result.accuracy, epoch};
    improved.push_back(set);
  }
  epochs_.add(std::move(row));
  epoch_losses_.push_back(record.published_loss);
  return improved;
}

void History::write(const std::filesystem::path& folder) const {
  epochs_.write_csv(folder / "metrics.csv");
  save_vector(folder / "step_loss.npy", step_losses_);
  save_vector(folder / "all_train_loss.npy", epoch_losses_);
  for (size_t set = 0; set < sets_.size(); ++set) {
    std::vector<double> accuracies;
    for (const std::vector<double>& epoch : epochs_.rows()) {
      accuracies.push_back(100 * epoch[accuracy_column(set)]);
    }
    save_vector(folder / (sets_[set] == "val" ? "eval.npy" : "eval_" + sets_[set] + ".npy"),
                accuracies);
  }
  CurvePanel loss = panel_of(sets_, "loss"), accuracy = panel_of(sets_, "accuracy");
  loss.label = "cross-entropy";
  loss.settings = "set logscale y";  // a first epoch's may be hundreds of times the others'
  accuracy.label = "accuracy (top-1)";
  accuracy.settings = "set yrange [0:1]";
  draw_curves(folder, epochs_, {loss, accuracy});
}

StateDict History::state_dict() const {
  std::vector<double> best;
  for (const Best& each : best_) {
    best.insert(best.end(), {each.accuracy, static_cast<double>(each.epoch)});
  }
  StateDict state = {optim::numbers("step_losses", step_losses_),
                     optim::numbers("epoch_losses", epoch_losses_), optim::numbers("best", best)};
  add_part(state, "epochs.", epochs_.state_dict());
  return state;
}

void History::load_state_dict(const StateDict& state) {
  const std::vector<double> best = optim::require_numbers("history", state, "best");
  GESTALT_CHECK(best.size() == 2 * sets_.size(), "the checkpoint is of other evaluation sets");
  epochs_.load_state_dict(part_of(state, "epochs."));
  step_losses_ = optim::require_numbers("history", state, "step_losses");
  // A run of before these were kept does not know them.
  epoch_losses_.assign(epochs_.rows().size(), std::numeric_limits<double>::quiet_NaN());
  if (find_tensor(state, "epoch_losses") != nullptr) {
    epoch_losses_ = optim::require_numbers("history", state, "epoch_losses");
  }
  for (size_t set = 0; set < sets_.size(); ++set) {
    best_[set] = {best[2 * set], static_cast<int64_t>(best[2 * set + 1])};
  }
}

}  // namespace gestalt::tools
