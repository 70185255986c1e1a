#include "tools/common/metrics.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "eval/gnuplot.h"
#include "kernels/error.h"
#include "optim/state.h"
#include "tools/common/gnuplot.h"
#include "tools/common/output.h"

namespace gestalt::tools {
namespace {

// Empty for what has no value.
std::string number(double value) {
  if (std::isnan(value)) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string csv_line(const std::vector<double>& row) {
  std::string line;
  for (const double value : row) line.append(line.empty() ? "" : ",").append(number(value));
  return line + '\n';
}

size_t place_of(const Metrics& metrics, const std::string& column) {
  const std::vector<std::string>& columns = metrics.columns();
  const auto found = std::find(columns.begin(), columns.end(), column);
  GESTALT_CHECK(found != columns.end(), "[metrics] no column '{}'", column);
  return static_cast<size_t>(found - columns.begin()) + 1;  // gnuplot's, from 1
}

// gnuplot would put marks between two epochs.
const char* whole_ticks(const Metrics& metrics) {
  constexpr double few = 12;
  const double range = metrics.rows().back()[0] - metrics.rows().front()[0];
  return range <= few ? "set xtics 1\n" : "";
}

}  // namespace

void Metrics::add(std::vector<double> row) {
  GESTALT_CHECK(row.size() == columns_.size(), "[metrics] {} values for {} columns", row.size(),
                columns_.size());
  rows_.push_back(std::move(row));
}

void Metrics::write_csv(const std::filesystem::path& path) const {
  std::string csv;
  for (size_t i = 0; i < columns_.size(); ++i) csv.append(i > 0 ? "," : "").append(columns_[i]);
  csv += '\n';
  for (const std::vector<double>& row : rows_) csv += csv_line(row);
  write_text(path, csv);
}

void Metrics::append_csv(const std::filesystem::path& path) const {
  std::ofstream file(path, std::ios::app | std::ios::binary);
  file << csv_line(rows_.back());
  file.close();
  GESTALT_CHECK(file, "cannot write '{}': {}", path.string(), std::strerror(errno));
}

void Metrics::write_events(EventFile& events) const {
  const std::vector<double>& row = rows_.back();
  for (size_t i = 1; i < row.size(); ++i) {
    events.scalar(columns_[i], static_cast<int64_t>(row[0]), row[i]);
  }
  events.flush();
}

StateDict Metrics::state_dict() const {
  std::vector<double> values;
  for (const std::vector<double>& row : rows_) values.insert(values.end(), row.begin(), row.end());
  return {optim::number("columns", static_cast<int64_t>(columns_.size())),
          optim::numbers("values", values)};
}

void Metrics::load_state_dict(const StateDict& state) {
  const std::vector<double> values = optim::require_numbers("metrics", state, "values");
  const auto columns = static_cast<size_t>(optim::require_integer("metrics", state, "columns"));
  GESTALT_CHECK(columns == columns_.size() && values.size() % columns == 0,
                "the checkpoint has {} columns of metrics, not {}", columns, columns_.size());
  rows_.clear();
  for (size_t at = 0; at < values.size(); at += columns) {
    rows_.emplace_back(values.begin() + at, values.begin() + at + columns);
  }
}

void draw_curves(const std::filesystem::path& folder, const Metrics& metrics,
                 const std::vector<CurvePanel>& panels) {
  if (metrics.rows().size() < 2) return;
  std::string script =
      format(R"(# Curves of metrics.csv; edit and run `gnuplot curves.gp`.
set terminal pngcairo size {},440 font "sans,11"
set output "curves.png"
set datafile separator ","
set key autotitle columnhead
set key noenhanced above
set xlabel "{}"
set grid linetype 1 linecolor rgb "#dddddd"
{}set multiplot layout 1,{}
)",
             550 * panels.size(), metrics.columns().front(), whole_ticks(metrics), panels.size());
  for (const CurvePanel& panel : panels) {
    // Settings stay from panel to panel: a logarithmic axis would hide the next one's zeros.
    script += "unset logscale\nset autoscale\nset format\n";
    if (!panel.settings.empty()) script += panel.settings + "\n";
    script += format("set ylabel {}\nplot ", eval::gnuplot_text(panel.label));
    for (size_t i = 0; i < panel.curves.size(); ++i) {
      script +=
          format("{}\"{}\" using 1:{} with lines linewidth 2 title {}", i > 0 ? ", \\\n     " : "",
                 i > 0 ? "" : "metrics.csv", place_of(metrics, panel.curves[i].column),
                 eval::gnuplot_text(panel.curves[i].title));
    }
    script += "\n";
  }
  run_gnuplot(folder / "curves.gp", script);
}

}  // namespace gestalt::tools
