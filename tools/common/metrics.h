#pragma once

// A table of numbers over steps or epochs, and the files that tell of it.

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/state_dict.h"
#include "tools/common/event_file.h"

namespace gestalt::tools {

class Metrics {
 public:
  // The first column counts ("step", "epoch").
  explicit Metrics(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<std::vector<double>>& rows() const { return rows_; }
  // One value a column.
  void add(std::vector<double> row);

  // The whole table, whole or not at all.
  void write_csv(const std::filesystem::path& path) const;
  // The last row, after a table written by write_csv: a file that grows with the run takes as long
  // for its last row as for its first. A job that goes on writes the table first: rows after its
  // checkpoint come again.
  void append_csv(const std::filesystem::path& path) const;
  // The last row, its values as scalars named by their columns.
  void write_events(EventFile& events) const;

  StateDict state_dict() const;
  void load_state_dict(const StateDict& state);  // throws Error where it has other columns

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<double>> rows_;
};

// Curves of some columns, drawn side by side.
struct CurvePanel {
  std::string label;  // of the y axis
  struct Curve {
    std::string column, title;
  };
  std::vector<Curve> curves;
  // gnuplot's, of this panel alone: "set logscale y". Axes are linear and fit the curves without.
  std::string settings;
};
// FOLDER/curves.gp over FOLDER/metrics.csv, and its picture curves.png. A curve needs two rows;
// before that, nothing is written.
void draw_curves(const std::filesystem::path& folder, const Metrics& metrics,
                 const std::vector<CurvePanel>& panels);

}  // namespace gestalt::tools
