#include "eval/gnuplot.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "kernels/rounding.h"

namespace gestalt::eval {
namespace {

constexpr double css_pixels_per_inch = 96;
// gnuplot's cairo terminals count 72 units an inch and draw fonts for 96: theirs come out as large
// as asked only with this scale.
constexpr double cairo_point = points_per_inch / css_pixels_per_inch;

constexpr double marker_width = 0.12;  // of a legend, from its centre to the label

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
                  std::lround(height * style.dots_per_inch), font(style, 1), cairo_point * scale,
                  0.8 * scale, 0.75 * scale);
  }
  GESTALT_CHECK(extension == ".pdf", "a figure is .svg, .png or .pdf, not '{}'", extension);
  return format("pdfcairo size {}in,{}in font {} fontscale {} linewidth 1 pointscale 0.75", width,
                height, font(style, 1), cairo_point);
}

}  // namespace

Gnuplot::Gnuplot(const std::string& picture, double width, double height, const FigureStyle& style)
    : width_(width), height_(height) {
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

void add_row_labels(Gnuplot& plot, const RowLabels& labels, std::span<const size_t> order,
                    double axis_left, double row_height, const FigureStyle& style) {
  const double step = tight_line_height(style.font_size) / row_height;
  for (size_t i = 0; i < order.size(); ++i) {
    const std::vector<std::string>& lines = labels.lines[order[i]];
    double y = static_cast<double>(order.size() - i);
    y += step * static_cast<double>(lines.size() - 1) / 2;
    for (const std::string& line : lines) {
      plot.add("set label {} at screen {}, first {} right", gnuplot_text(line),
               plot.x(axis_left - row_label_gap), y);
      y -= step;
    }
  }
}

Legend lay_out_legend(const std::vector<LegendEntry>& entries, double width, int columns,
                      const FigureStyle& style) {
  constexpr double gap = 0.2;
  const auto wanted = static_cast<size_t>(columns);
  const size_t per_column = ceil_div(entries.size(), wanted);
  Legend legend;
  double left = 0;
  size_t row = 0, rows = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && i % per_column == 0) {
      left = legend.width + gap;
      row = 0;
    }
    const double text_left = left + marker_width;
    legend.places.push_back(
        {entries[i], wrap(entries[i].label, width - marker_width, style.font_size), left, row});
    for (const std::string& line : legend.places.back().lines) {
      legend.width = std::max(legend.width, text_left + text_width(line, style.font_size));
      ++row;
    }
    rows = std::max(rows, row);
  }
  if (legend.width > width && columns > 1) {
    return lay_out_legend(entries, width, columns - 1, style);
  }
  legend.height = line_height(style.font_size) * static_cast<double>(rows);
  return legend;
}

void add_legend(Gnuplot& plot, const Legend& legend, double left, double top,
                const FigureStyle& style) {
  for (const auto& [entry, lines, entry_left, row] : legend.places) {
    const auto height_of = [&, first = row](size_t line) {
      const auto below = static_cast<double>(first + line) + 0.5;
      return plot.y(top - below * line_height(style.font_size));
    };
    plot.add(
        "set label \"\" at screen {}, screen {} point pointtype {} pointsize 0.7 linewidth 1.2 "
        "linecolor rgb \"{}\"",
        plot.x(left + entry_left), height_of(0), entry.point_type, entry.color);
    for (size_t i = 0; i < lines.size(); ++i) {
      plot.add("set label {} at screen {}, screen {} left", gnuplot_text(lines[i]),
               plot.x(left + entry_left + marker_width), height_of(i));
    }
  }
}

}  // namespace gestalt::eval
