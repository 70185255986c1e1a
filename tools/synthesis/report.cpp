#include "tools/synthesis/report.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/contact_sheet.h"
#include "data/encode.h"
#include "eval/csv.h"
#include "eval/gnuplot.h"
#include "kernels/error.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/shape.h"
#include "tools/common/gnuplot.h"
#include "tools/common/output.h"
#include "tools/common/utf8.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

constexpr const char* plot_script = R"(# Losses over evaluations; edit and run `gnuplot losses.gp`.
set terminal pngcairo size 900,540 font "sans,11"
set output "losses.png"
set datafile separator ","
set logscale y
set format y "10^{%L}"
set xlabel "evaluation"
set ylabel "loss"
set grid linecolor rgb "#dddddd"
set key outside right noenhanced
)";

// More curves than this in one legend can't be told apart.
constexpr size_t most_curves = 12;

// One line; what is longer would leave no room for the curves.
std::string shortened(std::string text) {
  constexpr size_t longest = 24;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return text.size() > longest ? cut_utf8(text, longest - 3) + "..." : text;
}

}  // namespace

bool has_losses(const SynthesisSettings& settings) {
  std::ifstream csv(fs::path(settings.output) / losses_file);
  std::string line;
  return std::getline(csv, line) && std::getline(csv, line);  // after the header
}

void write_losses(const SynthesisSettings& settings, const std::vector<Job>& jobs) {
  const fs::path folder = settings.output;
  std::string csv = "picture,evaluation,loss\n";
  std::string plots;
  size_t curves = 0, row = 0;
  for (const Job& job : jobs) {
    for (size_t i = 0; i < job.losses().size(); ++i) {
      char loss[32];
      std::snprintf(loss, sizeof loss, "%.9g", job.losses()[i]);
      csv += format("{},{},{}\n", eval::csv_field(job.name()), i + 1, loss);
    }
    const size_t first = row;
    row += job.losses().size();
    if (job.losses().empty() || ++curves > most_curves) continue;
    // gnuplot has eight colours; then they come again, dashed.
    plots += format(
        "{}\"losses.csv\" skip 1 every ::{}::{} using 2:3 with lines linewidth 2 dashtype {} title "
        "{}",
        plots.empty() ? "plot " : ", \\\n     ", first, row - 1, (curves - 1) / 8 + 1,
        eval::gnuplot_text(shortened(job.name())));
  }
  write_text(folder / losses_file, csv);
  if (!plots.empty()) run_gnuplot(folder / "losses.gp", plot_script + plots + "\n");
}

void write_sheet(const std::string& title, const SynthesisSettings& settings,
                 const std::vector<Job>& jobs) {
  data::ContactSheet sheet;
  sheet.title = settings.topk == 1 ? format("{}, all activations", title)
                                   : format("{}, {} {}% of the activations", title,
                                            settings.reverse_topk ? "without the top" : "top",
                                            settings.topk * 100);
  sheet.columns = {"original", "result"};
  data::Image original;
  const Job* before = nullptr;  // the seeds of an image follow each other
  for (const Job& job : jobs) {
    if (job.losses().empty()) continue;  // skipped
    if (before == nullptr || !job.is_of_image_of(*before)) {
      original = data::fit_cell(job.read_image(), sheet.cell_size);
    }
    before = &job;
    sheet.rows.push_back(job.name());
    const data::Image result = data::decode_image(job.picture_path());
    sheet.cells.push_back({original, data::fit_cell(result, sheet.cell_size)});
  }
  data::save_image(fs::path(settings.output) / sheet_file, data::draw_contact_sheet(sheet));
}

void write_tensors(const SynthesisSettings& settings, const Batch& batch) {
  std::vector<std::string> pictures;
  std::vector<Tensor> initial, result;
  size_t longest = 0;
  for (const Job* job : batch.jobs()) {
    pictures.push_back(job->name());
    initial.push_back(job->initial());
    result.push_back(batch.image_of(*job));
    longest = std::max(longest, job->losses().size());
  }
  std::vector<double> losses;
  for (const Job* job : batch.jobs()) {
    losses.insert(losses.end(), job->losses().begin(), job->losses().end());
    losses.resize(losses.size() + longest - job->losses().size(),
                  std::numeric_limits<double>::quiet_NaN());
  }
  const auto jobs = static_cast<int64_t>(batch.jobs().size());
  const auto evaluations = static_cast<int64_t>(longest);
  const Shape shape = jobs == 1 ? Shape{evaluations} : Shape{jobs, evaluations};

  StateDict tensors;
  tensors.push_back({"initial", batch.bounded().to_images(cat(initial, 0))});
  tensors.push_back({"result", cat(result, 0)});
  tensors.push_back({"losses", Tensor::from_vector(losses, shape, {.device = Device{}})});
  for (size_t i = 0; i < settings.layers.size(); ++i) {
    tensors.push_back({"target/" + settings.layers[i], batch.loss().targets()[i]});
  }
  const std::string names = as_utf8_json(pictures).dump();
  write_safetensors(settings.save_tensors, tensors, {{"pictures", names}});
}

}  // namespace gestalt::tools
