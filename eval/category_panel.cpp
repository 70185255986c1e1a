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

void add_axes(Gnuplot& plot, const Categories& categories, std::span<const size_t> order) {
  std::vector<std::string> names;
  for (size_t row = 0; row < order.size(); ++row) {
    names.push_back(
        gnuplot_tic(categories.name(order[row]), static_cast<double>(order.size() - row)));
  }
  plot.add("{}", tic_style);
  plot.add("set ytics ({}) scale 0 offset 0.4,0", join(names, ", "));
  plot.add("set yrange [0.4:{}]", static_cast<double>(order.size()) + 0.6);
  plot.add("set xrange [0:1]");
  plot.add("set x2range [1:0]");
  plot.add("set xtics 0.2 format \"%g\" offset 0,0.3");
  plot.add("set x2tics 0.2 format \"%g\" offset 0,-0.3");
  plot.add("set xlabel \"fraction of texture decisions\" offset 0,0.8");
  plot.add("set x2label \"fraction of shape decisions\" offset 0,-0.8");
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

void add_category_panel(Gnuplot& plot, const std::string& id, const PanelBox& box,
                        const Categories& categories, std::span<const size_t> order,
                        std::span<const PanelObserver> observers) {
  set_margins(plot, box);
  add_axes(plot, categories, order);
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
