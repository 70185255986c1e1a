#pragma once

// What a run leaves beside its pictures.

#include <string>
#include <vector>

#include "tools/synthesis/batch.h"
#include "tools/synthesis/job.h"

namespace gestalt::tools {

// In the output folder; each of one run alone.
inline constexpr const char* losses_file = "losses.csv";
inline constexpr const char* sheet_file = "sheet.png";
inline constexpr const char* report_files[] = {losses_file, "losses.gp", "losses.png", sheet_file};

// losses.csv: job, evaluation, loss; and losses.png with its gnuplot script.
void write_losses(const SynthesisSettings& settings, const std::vector<Job>& jobs);
// Whether losses.csv is there and has any.
bool has_losses(const SynthesisSettings& settings);

// sheet.png: one row a job, the original beside the result.
void write_sheet(const std::string& title, const SynthesisSettings& settings,
                 const std::vector<Job>& jobs);

// settings.save_tensors: initial and result [N,3,S,S] in the network's input space, losses [N,
// evaluations] ([evaluations] for one job; NaN past the end of a shorter one), target/<layer>; the
// metadata's `pictures` is a JSON list of the N names.
void write_tensors(const SynthesisSettings& settings, const Batch& batch);

}  // namespace gestalt::tools
