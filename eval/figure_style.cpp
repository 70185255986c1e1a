#include "eval/figure_style.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/text.h"
#include "kernels/error.h"
#include "tensor/io/bytes.h"

namespace gestalt::eval {
namespace {

using nlohmann::json;

struct Marker {
  const char* name;
  int point_type;
};

constexpr Marker marker_table[] = {
    {"plus", 1},     {"cross", 2},          {"star", 3},      {"square_open", 4},
    {"square", 5},   {"circle_open", 6},    {"circle", 7},    {"triangle_open", 8},
    {"triangle", 9}, {"wedge_open", 10},    {"wedge", 11},    {"diamond_open", 12},
    {"diamond", 13}, {"pentagon_open", 14}, {"pentagon", 15},
};

bool matches(const std::string& pattern, const std::string& name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
}

void check_color(const std::string& color) {
  const bool hex = color.size() == 7 && color[0] == '#' &&
                   color.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
  GESTALT_CHECK(hex, "colour '{}' is not of the form #rrggbb", color);
}

ObserverStyle observer_style(const json& entry) {
  ObserverStyle style;
  for (const auto& [key, value] : entry.items()) {
    if (key == "match") {
      style.match = value;
    } else if (key == "label") {
      style.label = value;
    } else if (key == "color") {
      style.color = value;
    } else if (key == "marker") {
      style.marker = value;
    } else {
      throw Error(format("unknown key 'observers.{}'", key));
    }
  }
  GESTALT_CHECK(!style.match.empty(), "an entry of 'observers' has no 'match'");
  check_color(style.color);
  gnuplot_point_type(style.marker);
  return style;
}

double positive(const json& value, const std::string& key) {
  const double number = value;
  GESTALT_CHECK(number > 0, "'{}' must be above 0, got {}", key, number);
  return number;
}

std::vector<std::string> not_empty(const json& value, const std::string& key) {
  std::vector<std::string> values = value;
  GESTALT_CHECK(!values.empty(), "'{}' is empty", key);
  return values;
}

void apply(const std::string& key, const json& value, FigureStyle& style) {
  if (key == "font") {
    style.font = value;
  } else if (key == "font_size") {
    style.font_size = positive(value, key);
  } else if (key == "width") {
    style.width = positive(value, key);
  } else if (key == "dots_per_inch") {
    style.dots_per_inch = positive(value, key);
  } else if (key == "observers") {
    style.observers.clear();
    for (const json& entry : value) style.observers.push_back(observer_style(entry));
  } else if (key == "colors") {
    style.colors = not_empty(value, key);
  } else if (key == "markers") {
    style.markers = not_empty(value, key);
  } else if (key == "sequence") {
    style.sequence = not_empty(value, key);
  } else {
    throw Error(format("unknown key '{}'", key));
  }
}

using Look = std::pair<std::string, std::string>;  // colour and marker

// The first colour that nobody has, with the first marker that nobody has; then repeated ones, as
// long as no two observers have both in common.
Look free_look(const std::set<Look>& taken, const FigureStyle& style) {
  const auto is_free = [](const std::set<std::string>& used, const std::string& value) {
    return !used.contains(value);
  };
  std::set<std::string> colors, markers;
  for (const auto& [color, marker] : taken) {
    colors.insert(color);
    markers.insert(marker);
  }
  Look look = {style.colors[taken.size() % style.colors.size()],
               style.markers[taken.size() % style.markers.size()]};
  for (const std::string& color : style.colors) {
    if (!is_free(colors, color)) continue;
    look.first = color;
    break;
  }
  for (const std::string& marker : style.markers) {
    if (!is_free(markers, marker)) continue;
    look.second = marker;
    break;
  }
  for (size_t i = 0; taken.contains(look) && i < style.colors.size() * style.markers.size(); ++i) {
    look = {style.colors[i % style.colors.size()], style.markers[i / style.colors.size()]};
  }
  return look;
}

}  // namespace

FigureStyle default_figure_style() {
  FigureStyle style;
  style.observers = {
      {"humans", "Humans", "#000000", "diamond"},
      {"AlexNet_normal", "", "#56B4E9", "circle_open"},
      {"AlexNet_topK_*", "", "#0072B2", "circle"},
      {"VGG_normal", "", "#E69F00", "square_open"},
      {"VGG_topK_*", "", "#D55E00", "square"},
      {"vit_large_patch16_224", "ViT-L/16", "#009E73", "triangle"},
      {"clip", "CLIP ViT-B/32", "#CC79A7", "wedge"},
  };
  style.colors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
  style.markers = {"pentagon", "cross", "star",          "circle",        "square",    "triangle",
                   "wedge",    "plus",  "pentagon_open", "triangle_open", "wedge_open"};
  // From dark blue to yellow, with lightness alone telling the order (cividis).
  style.sequence = {"#00204D", "#31446B", "#666870", "#8A8779", "#AF9F5F", "#D3BC4A", "#F2D22E"};
  return style;
}

json to_json(const FigureStyle& style) {
  json observers = json::array();
  for (const ObserverStyle& each : style.observers) {
    observers.push_back({{"match", each.match},
                         {"label", each.label},
                         {"color", each.color},
                         {"marker", each.marker}});
  }
  return {{"font", style.font},       {"font_size", style.font_size},
          {"width", style.width},     {"dots_per_inch", style.dots_per_inch},
          {"observers", observers},   {"colors", style.colors},
          {"markers", style.markers}, {"sequence", style.sequence}};
}

FigureStyle read_figure_style(const std::filesystem::path& path) {
  try {
    FigureStyle style = default_figure_style();
    const json changes = json::parse(map_file(path.string()).text());
    for (const auto& [key, value] : changes.items()) {
      try {
        apply(key, value, style);
      } catch (const json::type_error&) {
        throw Error(format("'{}' has a value of another type: {}", key, value.dump()));
      }
    }
    for (const auto* colors : {&style.colors, &style.sequence}) {
      for (const std::string& color : *colors) check_color(color);
    }
    for (const std::string& marker : style.markers) gnuplot_point_type(marker);
    return style;
  } catch (const std::exception& error) {
    throw Error(format("cannot read '{}': {}", path.string(), error.what()));
  }
}

std::vector<std::string> marker_names() {
  std::vector<std::string> names;
  for (const Marker& marker : marker_table) names.push_back(marker.name);
  return names;
}

int gnuplot_point_type(const std::string& marker) {
  for (const Marker& each : marker_table) {
    if (each.name == marker) return each.point_type;
  }
  throw Error(format("unknown marker '{}' (known: {})", marker, join(marker_names(), ", ")));
}

SparseName parse_sparse_name(const std::string& observer) {
  constexpr std::string_view all = "_normal", sparse = "_topK_";
  if (observer.ends_with(all)) return {observer.substr(0, observer.size() - all.size()), 100};
  const size_t found = observer.rfind(sparse);
  if (found == std::string::npos) return {observer, 0};
  const std::string rest = observer.substr(found + sparse.size());
  double percent = 0;
  const auto [end, fault] = std::from_chars(rest.data(), rest.data() + rest.size(), percent);
  const bool is_percent = fault == std::errc{} && end == rest.data() + rest.size() && percent > 0 &&
                          percent <= 100;  // not NaN either
  if (!is_percent) return {observer, 0};
  return {observer.substr(0, found), percent};
}

std::string readable_name(const std::string& observer) {
  const SparseName name = parse_sparse_name(observer);
  const std::string network = name.network == "VGG" ? "VGG-16" : name.network;
  if (name.percent == 0 || name.percent == 100) return network;
  return format("{}, Top-K {} %", network, name.percent);
}

std::vector<StyledObserver> assign_styles(const std::vector<std::string>& names,
                                          const FigureStyle& style) {
  std::vector<StyledObserver> styled;
  std::set<Look> taken;
  std::vector<bool> done(names.size());
  const auto assign = [&](size_t index, const std::string& label, Look look) {
    if (taken.contains(look)) look = free_look(taken, style);
    taken.insert(look);
    done[index] = true;
    styled.push_back({index, label.empty() ? readable_name(names[index]) : label, look.first,
                      gnuplot_point_type(look.second)});
  };
  for (const ObserverStyle& each : style.observers) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (!done[i] && matches(each.match, names[i]))
        assign(i, each.label, {each.color, each.marker});
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!done[i]) assign(i, "", free_look(taken, style));
  }
  return styled;
}

}  // namespace gestalt::eval
