#include "tools/fewshot/report.h"

#include <spdlog/fmt/fmt.h>

namespace gestalt::tools {

std::string loss_line(const std::vector<double>& losses) {
  return fmt::format("GAN: loss d: {:.5f}    loss g: {:.5f}", losses[0] + losses[1], -losses[3]);
}

std::string evaluation_line(const FewshotEvaluation& evaluation, const GanHistory& history,
                            const FewshotSettings& settings, const std::string& fid,
                            const std::string& kid) {
  std::string line;
  if (evaluation.standard) {
    const FewshotFigures& standard = *evaluation.standard;
    line = fmt::format(
        "{} {:.4f} +- {:.4f}, {} {:.6f} +- {:.6f} ({} draws of {}, range [0,255], running "
        "statistics); ",
        fid, standard.fid.mean, standard.fid.deviation, kid, standard.kid.mean,
        standard.kid.deviation, settings.eval_draws, settings.eval_samples);
  }
  line += fmt::format(
      "paper-compatible {} {:.4f}, {} {:.6f} (lowest of {} draws of {}, range [127,255], batch "
      "statistics)",
      fid, evaluation.paper.fid.lowest, kid, evaluation.paper.kid.lowest, settings.eval_draws,
      settings.eval_samples);
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
  events.scalar(fid + "/paper", step, evaluation.paper.fid.lowest);
  events.scalar(kid + "/paper", step, evaluation.paper.kid.lowest);
  events.flush();
}

}  // namespace gestalt::tools
