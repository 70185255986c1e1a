#pragma once

// How figures look. A JSON file may change any part of the default; docs/shape_bias.md describes
// it.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace gestalt::eval {

struct ObserverStyle {
  std::string match;   // an observer's name; "*" at the end stands for any rest
  std::string label;   // empty: readable_name()
  std::string color;   // "#rrggbb"
  std::string marker;  // one of marker_names()
};

struct FigureStyle {
  std::string font = "sans-serif";
  double font_size = 7;                  // points
  double width = 3.5;                    // inches: one column of a paper
  double dots_per_inch = 300;            // of PNG
  std::vector<ObserverStyle> observers;  // the order of the legend; the first match counts
  // For observers that no entry matches: colours and markers that nobody has yet.
  std::vector<std::string> colors, markers;
  std::vector<std::string> sequence;  // from all activations kept to the fewest, of the ablation
};

// Colours of Okabe and Ito (2008), which colour-blind people can tell apart, each with a marker of
// its own; open markers for all activations, filled ones for Top-K.
FigureStyle default_figure_style();

nlohmann::json to_json(const FigureStyle& style);

// Errors name the file and the key.
FigureStyle read_figure_style(const std::filesystem::path& path);

std::vector<std::string> marker_names();
int gnuplot_point_type(const std::string& marker);  // throws Error for an unknown one

// "AlexNet_topK_10": network AlexNet, 10 % kept; "AlexNet_normal": 100 %. Others: percent 0.
struct SparseName {
  std::string network;
  double percent = 0;
};
SparseName parse_sparse_name(const std::string& observer);

// "AlexNet, Top-K 10 %".
std::string readable_name(const std::string& observer);

// Styles of these observers, in the order of the legend: no two have the same colour and marker.
struct StyledObserver {
  size_t index;  // into `names`
  std::string label, color;
  int point_type;
};
std::vector<StyledObserver> assign_styles(const std::vector<std::string>& names,
                                          const FigureStyle& style);

}  // namespace gestalt::eval
