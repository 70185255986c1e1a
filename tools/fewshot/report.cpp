#include "tools/fewshot/report.h"

#include <cmath>
#include <spdlog/fmt/fmt.h>

#include "tensor/counted.h"

namespace gestalt::tools {
namespace {

// "46.3800"; a KID may be less than zero by less than is shown: "0.000000".
std::string text_of(double value, int digits) {
  const std::string text = fmt::format("{:.{}f}", value, digits);
  return text.find_first_of("123456789") == std::string::npos && value < 0 ? text.substr(1) : text;
}

// "46.3800 +- 0.2100".
std::string text_of(const Figure& figure, int digits) {
  std::string text = text_of(figure.mean, digits);
  if (!std::isnan(figure.deviation)) text += " +- " + text_of(figure.deviation, digits);
  return text;
}

}  // namespace

std::string loss_line(const std::vector<double>& values) {
  return fmt::format("GAN: loss d: {:.5f}    loss g: {:.5f}", values[4], -values[3]);
}

std::string evaluation_line(const FewshotEvaluation& evaluation, const GanHistory& history,
                            const FewshotSettings& settings, const std::string& fid,
                            const std::string& kid) {
  const int64_t count = settings.eval_draws;
  const std::string draws = fmt::format("{} of {}", counted(count, "draw"), settings.eval_samples);
  std::string line;
  if (evaluation.standard) {
    line = fmt::format("{} {}, {} {} ({}, range [0,255], running statistics); ", fid,
                       text_of(evaluation.standard->fid, 4), kid,
                       text_of(evaluation.standard->kid, 6), draws);
  }
  line += fmt::format("paper-compatible {} {}, {} {} ({}{}, range [127,255], batch statistics)",
                      fid, text_of(evaluation.paper.fid.chosen, 4), kid,
                      text_of(evaluation.paper.kid.chosen, 6), count > 1 ? "lowest FID of " : "",
                      draws);
  if (evaluation.kid_subset < 100) {
    line += fmt::format("; KID's subsets are of {}", evaluation.kid_subset);
  }
  return line +
         fmt::format("; best {} {:.4f} at step {}", fid, history.best(), history.best_step());
}

void write_evaluation(EventFile& events, int64_t step, const FewshotEvaluation& evaluation,
                      const std::string& fid, const std::string& kid) {
  if (evaluation.standard) {
    events.scalar(fid + "/standard", step, evaluation.standard->fid.mean);
    events.scalar(kid + "/standard", step, evaluation.standard->kid.mean);
  }
  events.scalar(fid + "/paper", step, evaluation.paper.fid.chosen);
  events.scalar(kid + "/paper", step, evaluation.paper.kid.chosen);
  events.flush();
}

}  // namespace gestalt::tools
