#include <algorithm>
#include <cmath>

#include "eval/category_panel.h"
#include "eval/figure_kinds.h"
#include "eval/figures.h"
#include "eval/statistics.h"
#include "eval/text.h"
#include "kernels/rounding.h"

namespace gestalt::eval {
namespace {

struct Sparsity {
  double percent;  // of Top-K, as the name has it
  double kept;     // of the activations, per cent
  const GroupSummary* group;
};

struct Network {
  std::string name;
  std::vector<Sparsity> sparsities;  // from all activations to the fewest
};

// NET_reverse_topK_10 drops those 10 %.
double percent_kept(const SparseName& name) {
  const bool drops = name.network.ends_with("_reverse") && name.percent < 100;
  return drops ? 100 - name.percent : name.percent;
}

const Sparsity* all_kept(const Network& network) {
  for (const Sparsity& each : network.sparsities) {
    if (each.percent == 100) return &each;
  }
  return nullptr;
}

// NET_normal is NET with all kept at other layers and in other modes too: of NET_features.2_topK_10
// and NET_reverse_topK_10. Random weights are another network.
const Sparsity* all_kept_of_another(const std::vector<Network>& networks, const Network& network) {
  const Network* longest = nullptr;
  for (const Network& each : networks) {
    const bool is_its = network.name.starts_with(each.name + "_") &&
                        !network.name.starts_with(each.name + "_untrained") &&
                        all_kept(each) != nullptr;
    if (is_its && (longest == nullptr || longest->name.size() < each.name.size())) longest = &each;
  }
  return longest == nullptr ? nullptr : all_kept(*longest);
}

std::vector<Network> find_networks(const Summary& summary) {
  std::vector<Network> networks;
  for (const GroupSummary& group : summary.groups) {
    const SparseName name = parse_sparse_name(group.name);
    if (name.percent == 0) continue;
    auto network = std::find_if(networks.begin(), networks.end(),
                                [&](const Network& each) { return each.name == name.network; });
    if (network == networks.end()) {
      network = networks.insert(networks.end(), Network{name.network, {}});
    }
    network->sparsities.push_back({name.percent, percent_kept(name), &group});
  }
  for (Network& network : networks) {
    if (all_kept(network) != nullptr) continue;
    const Sparsity* lent = all_kept_of_another(networks, network);
    if (lent != nullptr) network.sparsities.push_back(*lent);
  }
  std::erase_if(networks, [](const Network& each) { return each.sparsities.size() < 2; });
  for (Network& network : networks) {
    std::sort(network.sparsities.begin(), network.sparsities.end(),
              [](const Sparsity& a, const Sparsity& b) { return a.kept > b.kept; });
  }
  return networks;
}

const GroupSummary* find_humans(const Summary& summary) {
  for (const GroupSummary& group : summary.groups) {
    if (group.name == humans) return &group;
  }
  return nullptr;
}

// Along the whole sequence of colours, however many sparsities there are.
LegendEntry look_of(const Network& network, size_t i, const FigureStyle& style) {
  static constexpr int point_types[] = {6, 5, 9, 11, 13, 15, 7};  // the first, all kept, is open
  const size_t last = network.sparsities.size() - 1;
  const double place = static_cast<double>(i) / static_cast<double>(last);
  const auto color =
      static_cast<size_t>(std::lround(place * static_cast<double>(style.sequence.size() - 1)));
  const double percent = network.sparsities[i].percent;
  return {percent == 100 ? "all kept" : format("Top-K {} %", percent), style.sequence[color],
          point_types[i % std::size(point_types)]};
}

constexpr const char* shape_bias_color = "#0072B2";
constexpr const char* hit_rate_color = "#D55E00";

void add_curve_data(Gnuplot& plot, const std::string& id, const Network& network) {
  plot.add("$curve_{} << EOD", id);
  for (const Sparsity& each : network.sparsities) {
    const CueCounts& counts = each.group->bias.total;
    const Interval interval = wilson95(counts.shape, counts.hits());
    const double bias = counts.hits() == 0 ? 0.5 : ratio(counts.shape, counts.hits());
    plot.add("{} {} {} {} {}", each.kept, bias, interval.low, interval.high,
             ratio(counts.hits(), counts.n));
  }
  plot.add("EOD");
}

// The label stands below the line, at the left or the right end.
void add_level(Gnuplot& plot, double y, const char* color, const std::string& label, bool at_left) {
  plot.add(
      "set arrow from graph 0, first {} to graph 1, first {} nohead back linewidth 0.8 "
      "dashtype 3 linecolor rgb \"{}\"",
      y, y, color);
  plot.add("set label {} at graph {}, first {} {} offset 0,-0.55 textcolor rgb \"{}\"",
           gnuplot_text(label), at_left ? 0.02 : 0.98, y, at_left ? "left" : "right", color);
}

// Shape bias and hit rate over the share that Top-K keeps.
void add_curves(Gnuplot& plot, const std::string& id, const PanelBox& box, const Network& network,
                const GroupSummary* people, const Categories& categories) {
  add_curve_data(plot, id, network);
  set_margins(plot, box);
  std::vector<std::string> tics;
  for (const Sparsity& each : network.sparsities) {
    tics.push_back(gnuplot_tic(format("{}", each.kept), each.kept));
  }
  const double least = network.sparsities.back().kept;
  plot.add("unset x2tics; unset x2label");
  plot.add("set logscale x");
  plot.add("set xrange [{}:{}]", least / 1.15, 115);
  plot.add("set xtics ({}) offset 0,0.3", join(tics, ", "));
  plot.add("set xlabel \"activations kept, %\" offset 0,0.8");
  plot.add("set yrange [0:1]");
  plot.add("set ytics 0.2 format \"%.1f\" scale 0.4 offset 0.4,0");
  if (people != nullptr) {
    const CueCounts& counts = people->bias.total;
    add_level(plot, ratio(counts.shape, counts.hits()), "#000000", "shape bias of humans", false);
  }
  add_level(plot, chance_hit_rate(categories), hit_rate_color, "hit rate of guessing", true);
  plot.add(
      "plot $curve_{} using 1:5 with linespoints pointtype 6 pointsize 0.6 linewidth 1.2 "
      "dashtype 2 linecolor rgb \"{}\", \\\n"
      "     $curve_{} using 1:2:3:4 with yerrorbars pointtype 7 pointsize 0.6 linewidth 1.2 "
      "linecolor rgb \"{}\", \\\n"
      "     $curve_{} using 1:2 with lines linewidth 1.2 linecolor rgb \"{}\"",
      id, hit_rate_color, id, shape_bias_color, id, shape_bias_color);
  plot.add("unset logscale x");
}

constexpr size_t most_columns = 2;  // of networks, as of a page
// Inches.
constexpr double legend_left = 0.3, curve_legend_left = 0.7;
constexpr double curves_height = 1.5, part_gap = 0.15;

// What stands above the curves of a network.
struct Part {
  std::vector<std::string> title;  // lines
  std::vector<PanelObserver> observers;
  Legend legend;
};

Part part_of(const Network& network, const GroupSummary* people, double title_width,
             const FigureStyle& style) {
  Part part;
  part.title = wrap(readable_name(network.name + "_normal"), title_width, style.font_size);
  std::vector<LegendEntry> entries;
  for (size_t i = 0; i < network.sparsities.size(); ++i) {
    entries.push_back(look_of(network, i, style));
    part.observers.push_back({&network.sparsities[i].group->bias, entries.back()});
  }
  if (people != nullptr) {
    entries.push_back({"Humans", "#000000", 13});
    part.observers.push_back({&people->bias, entries.back()});
  }
  part.legend = lay_out_legend(entries, style.width - legend_left - 0.05, 3, style);
  return part;
}

// The same of every network, so that panels stand in line.
struct Layout {
  PanelLayout panel;
  double middle = 0;  // of titles, from a part's left edge
  std::vector<Part> parts;
  Legend curve_legend;
  double title_height = 0, legend_height = 0, rows_height = 0, part_height = 0;
};

Layout lay_out(const Summary& summary, const std::vector<Network>& networks,
               const GroupSummary* people, const FigureStyle& style) {
  Layout layout;
  layout.panel = lay_out_panel(summary.categories, 0.17, style);
  const PanelBox& room = layout.panel.room;
  layout.middle = (room.left + style.width - room.right) / 2;
  const double title_width = 2 * std::min(layout.middle, style.width - layout.middle) - 0.1;
  size_t title_lines = 0;
  for (const Network& network : networks) {
    const Part& part = layout.parts.emplace_back(part_of(network, people, title_width, style));
    layout.legend_height = std::max(layout.legend_height, part.legend.height + 0.06);
    title_lines = std::max(title_lines, part.title.size());
  }
  layout.curve_legend = lay_out_legend(
      {{"shape bias, 95 % interval", shape_bias_color, 7}, {"hit rate", hit_rate_color, 6}},
      style.width - curve_legend_left - 0.05, 2, style);
  layout.title_height = line_height(style.font_size) * static_cast<double>(title_lines) + 0.05;
  layout.rows_height = layout.panel.row_height * static_cast<double>(summary.categories.size());
  layout.part_height = layout.curve_legend.height + 0.07 + room.bottom + curves_height + 0.1 +
                       layout.legend_height + room.bottom + layout.rows_height + room.top +
                       layout.title_height + part_gap;
  return layout;
}

void clear_panel(Gnuplot& plot) {
  plot.add("unset label; unset arrow");
}

// The n-th network, with its upper left corner at (left, top): the title, the categories and their
// legend, the curves and theirs.
void add_part(Gnuplot& plot, size_t n, double left, double top, const Network& network,
              const GroupSummary* people, const Summary& summary, const Layout& layout,
              const FigureStyle& style) {
  const std::string id = format("network_{}", n);
  const Part& part = layout.parts[n];
  const PanelBox& room = layout.panel.room;
  const double line = line_height(style.font_size);
  for (size_t i = 0; i < part.title.size(); ++i) {
    plot.add("set label {} at screen {}, screen {} center", gnuplot_text(part.title[i]),
             plot.x(left + layout.middle),
             plot.y(top - 0.025 - line * (static_cast<double>(i) + 0.5)));
  }
  PanelBox box = {left + room.left, left + style.width - room.right, 0,
                  top - layout.title_height - room.top};
  box.bottom = box.top - layout.rows_height;
  const double legend_top = box.bottom - room.bottom;
  add_legend(plot, part.legend, left + legend_left, legend_top, style);
  add_category_panel(plot, id, box, layout.panel, category_order(summary), part.observers, style);
  clear_panel(plot);

  box.top = legend_top - layout.legend_height - 0.1;
  box.bottom = box.top - curves_height;
  add_legend(plot, layout.curve_legend, left + curve_legend_left, box.bottom - room.bottom, style);
  add_curves(plot, id, box, network, people, summary.categories);
  clear_panel(plot);
}

}  // namespace

bool has_sparsities(const Summary& summary) {
  return !find_networks(summary).empty();
}

std::string ablation_figure(const Summary& summary, const FigureStyle& style,
                            const std::string& picture) {
  const std::vector<Network> networks = find_networks(summary);
  GESTALT_CHECK(!networks.empty(),
                "no network with two sparsities is among the observers (names as AlexNet_normal, "
                "AlexNet_topK_10)");
  const GroupSummary* people = find_humans(summary);
  const Layout layout = lay_out(summary, networks, people, style);
  const size_t columns = std::min(networks.size(), most_columns);
  const size_t rows = ceil_div(networks.size(), columns);
  Gnuplot plot(picture, style.width * static_cast<double>(columns),
               layout.part_height * static_cast<double>(rows) - part_gap, style);
  plot.add("set multiplot");
  for (size_t n = 0; n < networks.size(); ++n) {
    const double left = style.width * static_cast<double>(n % columns);
    const double top = layout.part_height * static_cast<double>(rows - n / columns) - part_gap;
    add_part(plot, n, left, top, networks[n], people, summary, layout, style);
  }
  plot.add("unset multiplot");
  return plot.script();
}

}  // namespace gestalt::eval
