#pragma once

// A gnuplot script for one picture: SVG, PNG or PDF by the extension, the same layout in each.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/figure_style.h"
#include "eval/figure_text.h"
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

 private:
  std::string script_;
  double width_, height_;
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

// The labels of rows at 1, 2, ... up a y axis, in `order` from the top. Not as the axis's own tics:
// of those with a percent sign gnuplot drops what is behind the 49th byte.
void add_row_labels(Gnuplot& plot, const RowLabels& labels, std::span<const size_t> order,
                    double axis_left, double row_height, const FigureStyle& style);

struct LegendEntry {
  std::string label, color;
  int point_type;
};
// Entries down one column and on in the next.
struct Legend {
  struct Place {
    LegendEntry entry;
    std::vector<std::string> lines;  // of its label
    double left;                     // inches, from the legend's
    size_t row;                      // of its first line
  };
  std::vector<Place> places;
  double width = 0, height = 0;  // inches
};
// In `columns` of them, each as wide as its labels need, or in fewer where those are wider together
// than `width`; labels that are too wide for one column are broken.
Legend lay_out_legend(const std::vector<LegendEntry>& entries, double width, int columns,
                      const FigureStyle& style);
void add_legend(Gnuplot& plot, const Legend& legend, double left, double top,
                const FigureStyle& style);

}  // namespace gestalt::eval
