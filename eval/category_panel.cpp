#include "eval/category_panel.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/statistics.h"
#include "eval/text.h"

namespace gestalt::eval {
namespace {

double texture_fraction(const CueCounts& counts) {
  return ratio(counts.texture, counts.hits());
}

void add_data(Gnuplot& plot, const std::string& name, std::span<const size_t> order,
              const ShapeBias& bias) {
  plot.add("${} << EOD", name);
  for (size_t row = 0; row < order.size(); ++row) {
    const double x = texture_fraction(bias.per_category[order[row]]);
    if (!std::isnan(x)) plot.add("{} {}", x, order.size() - row);
  }
  plot.add("EOD");
}

void add_axes(Gnuplot& plot, const PanelLayout& layout, size_t rows) {
  plot.add("{}", tic_style);
  plot.add("set ytics 1,1,{} format \"\" scale 0", rows);  // for the grid
  plot.add("set yrange [0.4:{}]", static_cast<double>(rows) + 0.6);
  plot.add("set xrange [0:1]");
  plot.add("set x2range [1:0]");
  plot.add("set xtics {} format \"%g\" offset 0,0.3", layout.tic_step);
  plot.add("set x2tics {} format \"%g\" offset 0,-0.3", layout.tic_step);
  plot.add("set xlabel {} offset 0,0.8", gnuplot_text(layout.texture_title));
  plot.add("set x2label {} offset 0,-0.8", gnuplot_text(layout.shape_title));
  plot.add("set grid ytics linetype 1 linewidth 0.5 linecolor rgb \"#dddddd\"");
}

}  // namespace

std::vector<size_t> category_order(const ShapeBias& reference) {
  std::vector<size_t> order(reference.per_category.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double x = texture_fraction(reference.per_category[a]);
    const double y = texture_fraction(reference.per_category[b]);
    return (std::isnan(x) ? -1 : x) > (std::isnan(y) ? -1 : y);  // without decisions: last
  });
  return order;
}

std::vector<size_t> category_order(const Summary& summary) {
  ShapeBias all;
  for (const GroupSummary& group : summary.groups) {
    if (group.name == humans) return category_order(group.bias);
    all += group.bias;
  }
  return category_order(all);
}

PanelLayout lay_out_panel(const Categories& categories, double least_row_height,
                          const FigureStyle& style) {
  constexpr double right = 0.12, least_left = 0.68, share_of_labels = 0.4;
  const double line = line_height(style.font_size);
  std::vector<std::string> names;
  for (const Category& category : categories.all()) names.push_back(category.name);

  PanelLayout layout;
  layout.labels = row_labels(names, share_of_labels * style.width, style.font_size);
  const double label_height =
      tight_line_height(style.font_size) * static_cast<double>(layout.labels.most_lines);
  layout.row_height = std::max(least_row_height, label_height + 0.05);
  const double left = std::max(least_left, layout.labels.width);
  const double axis = style.width - left - right;
  layout.tic_step = fraction_step(axis, style.font_size);
  const auto below = wrap("fraction of texture decisions", axis, style.font_size);
  const auto above = wrap("fraction of shape decisions", axis, style.font_size);
  layout.texture_title = join(below, "\n");
  layout.shape_title = join(above, "\n");
  layout.room = {left, right, 0.07 + line * static_cast<double>(1 + below.size()),
                 0.09 + line * static_cast<double>(1 + above.size())};
  return layout;
}

void add_category_panel(Gnuplot& plot, const std::string& id, const PanelBox& box,
                        const PanelLayout& layout, std::span<const size_t> order,
                        std::span<const PanelObserver> observers, const FigureStyle& style) {
  set_margins(plot, box);
  add_axes(plot, layout, order.size());
  add_row_labels(plot, layout.labels, order, box.left, layout.row_height, style);
  std::vector<std::string> layers;
  for (size_t i = 0; i < observers.size(); ++i) {
    const auto& [bias, look] = observers[i];
    const std::string data = format("{}_{}", id, i);
    add_data(plot, data, order, *bias);
    const double mean = 1 - mean_over_categories(*bias);
    if (!std::isnan(mean)) {
      plot.add(
          "set arrow from {}, graph 0 to {}, graph 1 nohead back linewidth 1 linecolor rgb "
          "\"{}\"",
          mean, mean, look.color);
    }
    layers.push_back(
        format("${} using 1:2 with points pointtype {} pointsize 0.75 linewidth 1.4 linecolor rgb "
               "\"{}\"",
               data, look.point_type, look.color));
  }
  plot.add("plot {}", join(layers, ", \\\n     "));
}

}  // namespace gestalt::eval
