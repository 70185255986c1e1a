#pragma once

// A gnuplot script for one picture: SVG, PNG or PDF by the extension, the same layout in each.

#include <string>
#include <string_view>
#include <vector>

#include "eval/figure_style.h"
#include "kernels/error.h"

namespace gestalt::eval {

class Gnuplot {
 public:
  // `picture`: the file name that the script writes, relative to where it is run. Inches. Throws
  // Error for another extension.
  Gnuplot(const std::string& picture, double width, double height, const FigureStyle& style);

  template <class... Args>
  void add(std::string_view pattern, const Args&... args) {
    script_ += format(pattern, args...);
    script_ += '\n';
  }
  const std::string& script() const { return script_; }

  // Places on the canvas, from inches to gnuplot's fractions; y from the bottom.
  double x(double inches) const { return inches / width_; }
  double y(double inches) const { return inches / height_; }
  // About what the text takes, inches.
  double text_width(std::string_view text) const;

 private:
  std::string script_;
  double width_, height_, font_size_;
};

// In double quotes, for gnuplot. Nothing in it is run: gnuplot takes what stands in backquotes
// there for a command, and names come from others' files.
std::string gnuplot_text(std::string_view text);

// One entry of "set ytics (...)".
std::string gnuplot_tic(std::string_view label, double place);

// Again in each panel of several: "unset x2tics" forgets it.
inline constexpr const char* tic_style =
    "set tics nomirror out scale 0.4 textcolor rgb \"#000000\"";

// Where a panel's axes stand on the canvas, inches from the left and the bottom.
struct PanelBox {
  double left, right, bottom, top;
};
void set_margins(Gnuplot& plot, const PanelBox& box);

struct LegendEntry {
  std::string label, color;
  int point_type;
};
inline constexpr double legend_row_height = 0.145;  // inches
// Down from `top`, column by column, each as wide as its labels need.
void add_legend(Gnuplot& plot, const std::vector<LegendEntry>& entries, double left, double top,
                int columns);
double legend_height(size_t entries, int columns);

}  // namespace gestalt::eval
