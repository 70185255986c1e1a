#pragma once

// What text takes in a figure, and where it is broken when it takes too much.
// Sizes of fonts in points, all else in inches.

#include <string>
#include <string_view>
#include <vector>

namespace gestalt::eval {

inline constexpr double points_per_inch = 72;

// Of UTF-8 in one line: at least what a sans-serif font needs, whichever the viewer has.
double text_width(std::string_view text, double font_size);

double line_height(double font_size);        // of entries, one below the other
double tight_line_height(double font_size);  // of the lines of one

// Lines no wider than `width`: broken after spaces, "_" and ".", but not ahead of a number; within
// a word only where it is wider alone. Line feeds stay breaks. At least one line, and one letter a
// line.
std::vector<std::string> wrap(std::string_view text, double width, double font_size);

// Labels to the left of an axis.
struct RowLabels {
  std::vector<std::vector<std::string>> lines;  // of each
  double width = 0;                             // of the widest, with gaps at its sides
  size_t most_lines = 1;
};
// No wider than `width`, as far as wrap() can.
inline constexpr double row_label_gap = 0.06;  // at each side
RowLabels row_labels(const std::vector<std::string>& names, double width, double font_size);

// Between the tics of an axis from 0 to 1: 0.2 where the numbers have room side by side, else 0.5.
double fraction_step(double axis_width, double font_size);

}  // namespace gestalt::eval
