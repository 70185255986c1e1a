#include "eval/summary.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "eval/error_consistency.h"
#include "eval/statistics.h"
#include "eval/text.h"
#include "kernels/error.h"

namespace gestalt::eval {
namespace {

using nlohmann::json;

json number_or_null(double value) {
  return std::isnan(value) ? json() : json(value);
}

json to_json(const CueCounts& counts) {
  const Interval interval = wilson95(counts.shape, counts.hits());
  return {
      {"n", counts.n},
      {"shape", counts.shape},
      {"texture", counts.texture},
      {"shape_bias", number_or_null(ratio(counts.shape, counts.hits()))},
      {"ci95", {interval.low, interval.high}},
      {"hit_rate", number_or_null(ratio(counts.hits(), counts.n))},
  };
}

json to_json(const ShapeBias& bias, const Categories& categories) {
  json result = to_json(bias.total);
  result["chance"] = chance_hit_rate(categories);
  result["near_chance"] = is_near_chance(bias.total, categories);
  result["accuracy"] = number_or_null(ratio(bias.correct, bias.decisions));
  result["mean_over_categories"] = number_or_null(mean_over_categories(bias));
  for (size_t i = 0; i < categories.size(); ++i) {
    result["per_category"][categories.name(i)] = to_json(bias.per_category[i]);
  }
  return result;
}

double mean_kappa(const ObserverGroup& a, const ObserverGroup& b, bool same_group,
                  std::vector<PairConsistency>& pairs) {
  double sum = 0;
  int count = 0;
  for (size_t i = 0; i < a.members.size(); ++i) {
    for (size_t j = same_group ? i + 1 : 0; j < b.members.size(); ++j) {
      const Observer &first = a.members[i], &second = b.members[j];
      const ErrorConsistency pair = error_consistency(first.decisions, second.decisions);
      pairs.push_back({first.name, second.name, pair.n, pair.observed, pair.expected, pair.kappa});
      if (std::isnan(pair.kappa)) continue;
      sum += pair.kappa;
      ++count;
    }
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / count;
}

GroupSummary summarize(const ObserverGroup& group, const Categories& categories) {
  GroupSummary summary;
  summary.name = group.name;
  for (const Observer& member : group.members) {
    for (const auto& file : member.files) summary.files.push_back(file.string());
    summary.members.push_back({member.name, count_shape_bias(member.decisions, categories)});
    summary.bias += summary.members.back().bias;
  }
  return summary;
}

size_t name_width(const Summary& summary) {
  size_t width = 8;
  for (const GroupSummary& group : summary.groups) width = std::max(width, group.name.size());
  return width;
}

std::string kappa_table(const Summary& summary) {
  const size_t width = name_width(summary);
  std::string text = "\nerror consistency (Cohen's kappa; columns numbered as rows)\n";
  text += std::string(width + 4, ' ');
  for (size_t j = 0; j < summary.groups.size(); ++j) text += pad_left(std::to_string(j + 1), 7);
  text += "\n";
  for (size_t i = 0; i < summary.groups.size(); ++i) {
    text += pad_left(std::to_string(i + 1), 3) + " " + pad_right(summary.groups[i].name, width);
    for (size_t j = 0; j <= i; ++j) text += pad_left(fixed(summary.group_kappa[i][j], 3), 7);
    text += "\n";
  }
  return text;
}

}  // namespace

Summary summarize(const Observations& observations, const Categories& categories) {
  Summary summary{categories, observations.stimuli, {}, {}, {}, observations.left_out};
  const std::vector<ObserverGroup>& groups = observations.groups;
  summary.group_kappa.assign(groups.size(), std::vector<double>(groups.size()));
  for (size_t i = 0; i < groups.size(); ++i) {
    summary.groups.push_back(summarize(groups[i], categories));
    for (size_t j = i; j < groups.size(); ++j) {
      const double kappa = mean_kappa(groups[i], groups[j], i == j, summary.pairs);
      summary.group_kappa[i][j] = summary.group_kappa[j][i] = kappa;
    }
  }
  return summary;
}

json to_json(const Summary& summary) {
  json result = {{"stimuli", summary.stimuli}, {"observers", json::object()}};
  for (const GroupSummary& group : summary.groups) {
    json& entry = result["observers"][group.name] = to_json(group.bias, summary.categories);
    entry["files"] = group.files;
    if (group.members.size() < 2) continue;
    for (const MemberSummary& member : group.members) {
      entry["members"][member.name] = to_json(member.bias, summary.categories);
    }
  }
  json& pairs = result["error_consistency"]["pairs"] = json::array();
  for (const PairConsistency& pair : summary.pairs) {
    pairs.push_back({{"a", pair.a},
                     {"b", pair.b},
                     {"n", pair.n},
                     {"observed", number_or_null(pair.observed)},
                     {"expected", number_or_null(pair.expected)},
                     {"kappa", number_or_null(pair.kappa)}});
  }
  json& groups = result["error_consistency"]["mean_kappa"] = json::object();
  for (size_t i = 0; i < summary.groups.size(); ++i) {
    for (size_t j = 0; j < summary.groups.size(); ++j) {
      groups[summary.groups[i].name][summary.groups[j].name] =
          number_or_null(summary.group_kappa[i][j]);
    }
  }
  result["left_out"] = json::array();
  for (const LeftOut& file : summary.left_out) {
    result["left_out"].push_back({{"path", file.path}, {"reason", file.reason}});
  }
  return result;
}

std::string to_table(const Summary& summary) {
  const size_t width = name_width(summary);
  std::string text = pad_right("observer", width) +
                     "      n  shape  texture  shape bias   95 % interval  hit rate  accuracy\n";
  for (const GroupSummary& group : summary.groups) {
    const CueCounts& counts = group.bias.total;
    const Interval interval = wilson95(counts.shape, counts.hits());
    text += pad_right(group.name, width) + pad_left(std::to_string(counts.n), 7) +
            pad_left(std::to_string(counts.shape), 7) +
            pad_left(std::to_string(counts.texture), 9) +
            pad_left(decimal_ratio(counts.shape, counts.hits(), 4), 12) +
            pad_left(fixed(interval.low, 3) + " - " + fixed(interval.high, 3), 16) +
            pad_left(decimal_ratio(counts.hits(), counts.n, 3), 10) +
            pad_left(decimal_ratio(group.bias.correct, group.bias.decisions, 3), 10) + "\n";
  }
  return text + kappa_table(summary);
}

std::vector<std::string> warnings(const Summary& summary) {
  std::vector<std::string> lines;
  for (const GroupSummary& group : summary.groups) {
    const CueCounts& counts = group.bias.total;
    if (!is_near_chance(counts, summary.categories)) continue;
    lines.push_back(format("{}: hit rate {} is near chance ({}); guesses have a shape bias of 0.5",
                           group.name, decimal_ratio(counts.hits(), counts.n, 3),
                           chance_hit_rate(summary.categories)));
  }
  return lines;
}

}  // namespace gestalt::eval
