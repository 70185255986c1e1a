#pragma once

// A page about observers' decisions: one HTML file that needs no network and no other file.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "eval/figure_style.h"
#include "eval/summary.h"

namespace gestalt::eval {

struct ReportFigure {
  std::string title, svg;
  std::string description;  // for those who cannot see it
  bool is_wide = false;     // takes the width of the page
};

struct ReportExample {
  Stimulus stimulus;
  std::vector<uint8_t> jpeg;
};

struct Report {
  std::vector<ReportFigure> figures;
  std::vector<ReportExample> examples;
  std::vector<std::pair<std::string, std::string>> made_by;  // "command", ...
};

std::string to_html(const Report& report, const Summary& summary, const Observations& observations,
                    const FigureStyle& style);

// For each category the stimulus, of `available` names, on which the groups give the most different
// answers; then the categories with the most of them, at most `count`.
std::vector<Stimulus> choose_examples(const Observations& observations,
                                      const std::vector<std::string>& available, size_t count);

}  // namespace gestalt::eval
