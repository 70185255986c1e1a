#pragma once

// A few-shot training's lines for people.

#include <string>
#include <vector>

#include "tools/common/event_file.h"
#include "tools/fewshot/evaluation.h"
#include "tools/fewshot/history.h"
#include "tools/fewshot/options.h"

namespace gestalt::tools {

// As published: "GAN: loss d: 1.23456    loss g: -0.12345", the discriminator's loss of real images
// with the reconstructions, and the mean logit of generated ones. `losses`: of one step.
std::string loss_line(const std::vector<double>& losses);

// One line with every figure and how it came about. `fid`, `kid`: their names, "FID(untrained)".
std::string evaluation_line(const FewshotEvaluation& evaluation, const GanHistory& history,
                            const FewshotSettings& settings, const std::string& fid,
                            const std::string& kid);

void write_evaluation(EventFile& events, int64_t step, const FewshotEvaluation& evaluation,
                      const std::string& fid, const std::string& kid);

}  // namespace gestalt::tools
