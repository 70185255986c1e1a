#pragma once

// A few-shot training's lines for people.

#include <string>
#include <vector>

#include "tools/common/event_file.h"
#include "tools/fewshot/evaluation.h"
#include "tools/fewshot/history.h"
#include "tools/fewshot/options.h"

namespace gestalt::tools {

// As published: "GAN: loss d: 1.23456    loss g: -0.12345", which are not losses, but the mean
// logits of real and of generated images. `values`: gan_value_names of one step.
std::string loss_line(const std::vector<double>& values);

// One line with every figure and how it came about. `fid`, `kid`: their names, "FID(untrained)".
std::string evaluation_line(const FewshotEvaluation& evaluation, const GanHistory& history,
                            const FewshotSettings& settings, const std::string& fid,
                            const std::string& kid);

void write_evaluation(EventFile& events, int64_t step, const FewshotEvaluation& evaluation,
                      const std::string& fid, const std::string& kid);

}  // namespace gestalt::tools
