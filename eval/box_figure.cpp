#include <algorithm>
#include <cmath>
#include <numeric>

#include "eval/figure_kinds.h"
#include "eval/gnuplot.h"
#include "eval/statistics.h"
#include "eval/text.h"

namespace gestalt::eval {
namespace {

// Linear between the two nearest ranks, as NumPy's default; `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double q) {
  const double rank = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (rank - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::vector<double> category_biases(const ShapeBias& bias) {
  std::vector<double> values;
  for (const CueCounts& counts : bias.per_category) {
    if (counts.hits() > 0) values.push_back(ratio(counts.shape, counts.hits()));
  }
  std::sort(values.begin(), values.end());
  return values;
}

// One observer's row: box, whiskers, median, and its categories as dots.
void add_row(Gnuplot& plot, size_t row, const std::vector<double>& values, const std::string& color,
             std::vector<std::string>& layers) {
  constexpr double half_height = 0.26;
  const auto y = static_cast<double>(row);
  const double low = quantile(values, 0.25), median = quantile(values, 0.5),
               high = quantile(values, 0.75);
  plot.add("$dots_{} << EOD", row);
  for (const double value : values) plot.add("{} {}", value, y);
  plot.add("EOD");
  plot.add(
      "set object rectangle from {}, {} to {}, {} back fillcolor rgb \"{}\" fillstyle solid "
      "0.35 border linecolor rgb \"{}\" linewidth 0.8",
      low, y - half_height, high, y + half_height, color, color);
  for (const auto& [from, to] : {std::pair(values.front(), low), std::pair(high, values.back())}) {
    plot.add("set arrow from {}, {} to {}, {} nohead back linewidth 0.8 linecolor rgb \"{}\"", from,
             y, to, y, color);
  }
  for (const double end : {values.front(), values.back()}) {
    plot.add("set arrow from {}, {} to {}, {} nohead back linewidth 0.8 linecolor rgb \"{}\"", end,
             y - half_height / 2, end, y + half_height / 2, color);
  }
  plot.add("set arrow from {}, {} to {}, {} nohead front linewidth 1.6 linecolor rgb \"#000000\"",
           median, y - half_height, median, y + half_height);
  layers.push_back(
      format("$dots_{} using 1:2 with points pointtype 7 pointsize 0.3 linecolor rgb "
             "\"{}\"",
             row, color));
}

}  // namespace

std::string box_figure(const Summary& summary, const FigureStyle& style,
                       const std::string& picture) {
  std::vector<std::string> names;
  for (const GroupSummary& group : summary.groups) names.push_back(group.name);
  const std::vector<StyledObserver> styled = assign_styles(names, style);

  constexpr double right = 0.12, top = 0.08, least_row_height = 0.25, share_of_labels = 0.5;
  const double line = line_height(style.font_size);
  names.clear();
  for (const StyledObserver& each : styled) names.push_back(each.label);
  const RowLabels labels = row_labels(names, share_of_labels * style.width, style.font_size);
  const double axis = style.width - labels.width - right;
  const std::vector<std::string> title = wrap(
      format("shape bias of the {} categories", summary.categories.size()), axis, style.font_size);
  const double label_height =
      tight_line_height(style.font_size) * static_cast<double>(labels.most_lines);
  const double row_height = std::max(least_row_height, label_height + 0.1);
  const double rows = row_height * static_cast<double>(styled.size()) + 0.1;
  const double bottom = 0.07 + line * static_cast<double>(1 + title.size());
  Gnuplot plot(picture, style.width, bottom + rows + top, style);
  set_margins(plot, {labels.width, style.width - right, bottom, bottom + rows});
  std::vector<std::string> layers;
  for (size_t i = 0; i < styled.size(); ++i) {
    const size_t row = styled.size() - i;
    const std::vector<double> values = category_biases(summary.groups[styled[i].index].bias);
    if (!values.empty()) add_row(plot, row, values, styled[i].color, layers);
  }
  std::vector<size_t> order(styled.size());
  std::iota(order.begin(), order.end(), size_t{0});
  add_row_labels(plot, labels, order, labels.width, rows / static_cast<double>(styled.size()),
                 style);
  plot.add("unset ytics");
  plot.add("set yrange [0.5:{}]", static_cast<double>(styled.size()) + 0.5);
  plot.add("set xrange [-0.02:1.02]");
  plot.add("set xtics 0,{},1 format \"%g\" offset 0,0.3", fraction_step(axis, style.font_size));
  plot.add("set xlabel {} offset 0,0.8", gnuplot_text(join(title, "\n")));
  plot.add("set grid xtics linetype 1 linewidth 0.5 linecolor rgb \"#dddddd\"");
  GESTALT_CHECK(!layers.empty(), "no observer decided for a shape or a texture");
  plot.add("plot {}", join(layers, ", \\\n     "));
  return plot.script();
}

}  // namespace gestalt::eval
