#include "eval/gnuplot.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace gestalt::eval {
namespace {

constexpr double points_per_inch = 72, css_pixels_per_inch = 96;

std::string font(const FigureStyle& style, double scale) {
  return gnuplot_text(format("{},{}", style.font, style.font_size * scale));
}

std::string terminal(const std::string& extension, double width, double height,
                     const FigureStyle& style) {
  if (extension == ".svg") {
    return format("svg size {},{} dynamic font {} linewidth 1.1 background \"#ffffff\"",
                  std::lround(width * css_pixels_per_inch),
                  std::lround(height * css_pixels_per_inch),
                  font(style, css_pixels_per_inch / points_per_inch));
  }
  if (extension == ".png") {
    const double scale = style.dots_per_inch / points_per_inch;
    return format("pngcairo size {},{} font {} fontscale {} linewidth {} pointscale {}",
                  std::lround(width * style.dots_per_inch),
                  std::lround(height * style.dots_per_inch), font(style, 1), scale, 0.8 * scale,
                  0.75 * scale);
  }
  GESTALT_CHECK(extension == ".pdf", "a figure is .svg, .png or .pdf, not '{}'", extension);
  // Its default is half of every size.
  return format("pdfcairo size {}in,{}in font {} fontscale 1 linewidth 1 pointscale 0.75", width,
                height, font(style, 1));
}

}  // namespace

Gnuplot::Gnuplot(const std::string& picture, double width, double height, const FigureStyle& style)
    : width_(width), height_(height), font_size_(style.font_size) {
  const std::string extension = std::filesystem::path(picture).extension().string();
  add("# Written by gestalt; edit it and run it with gnuplot in its folder.");
  add("set terminal {}", terminal(extension, width, height, style));
  add("set output {}", gnuplot_text(picture));
  add("set termoption noenhanced");
  add("unset key");
  add("set border 15 linewidth 0.6 linecolor rgb \"#666666\"");
  add("{}", tic_style);
}

std::string gnuplot_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '`') {
      quoted += "\\140";
    } else if (c == '\n') {
      quoted += "\\n";
    } else {
      quoted += c >= 0 && c < ' ' ? ' ' : c;
    }
  }
  return quoted + "\"";
}

std::string gnuplot_tic(std::string_view label, double place) {
  std::string formatted;  // gnuplot takes a tic's label for a format
  for (const char c : label) formatted += c == '%' ? std::string("%%") : std::string(1, c);
  return format("{} {}", gnuplot_text(formatted), place);
}

void set_margins(Gnuplot& plot, const PanelBox& box) {
  plot.add("set lmargin at screen {}", plot.x(box.left));
  plot.add("set rmargin at screen {}", plot.x(box.right));
  plot.add("set bmargin at screen {}", plot.y(box.bottom));
  plot.add("set tmargin at screen {}", plot.y(box.top));
}

double legend_height(size_t entries, int columns) {
  return legend_row_height * std::ceil(static_cast<double>(entries) / columns);
}

double Gnuplot::text_width(std::string_view text) const {
  constexpr double mean_letter = 0.66;  // of the font size; sans-serif letters are 0.3 to 0.9 wide
  return mean_letter * font_size_ / points_per_inch * static_cast<double>(text.size());
}

void add_legend(Gnuplot& plot, const std::vector<LegendEntry>& entries, double left, double top,
                int columns) {
  constexpr double marker_width = 0.12, gap = 0.2;
  const auto wanted = static_cast<size_t>(columns);
  const size_t rows = (entries.size() + wanted - 1) / wanted;
  double widest = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    const size_t row = i % rows;
    if (row == 0 && i > 0) {
      left += marker_width + widest + gap;
      widest = 0;
    }
    widest = std::max(widest, plot.text_width(entries[i].label));
    const double y = plot.y(top - (static_cast<double>(row) + 0.5) * legend_row_height);
    plot.add(
        "set label \"\" at screen {}, screen {} point pointtype {} pointsize 0.7 linewidth 1.2 "
        "linecolor rgb \"{}\"",
        plot.x(left), y, entries[i].point_type, entries[i].color);
    plot.add("set label {} at screen {}, screen {} left", gnuplot_text(entries[i].label),
             plot.x(left + marker_width), y);
  }
}

}  // namespace gestalt::eval
