#include "eval/report.h"

#include <cmath>

#include "eval/html.h"
#include "eval/statistics.h"
#include "eval/text.h"
#include "kernels/error.h"

namespace gestalt::eval {
namespace {

constexpr const char* page_head = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Shape bias</title>
<style>
:root { color-scheme: light dark; --text: #1a1a1a; --back: #ffffff; --soft: #5c5c5c;
  --line: #d5d5d5; --card: #f5f5f3; --shape: #00528c; --texture: #a34700; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --back: #16181b; --soft: #a9a9a9; --line: #3a3e44; --card: #202328;
    --shape: #7cc4f5; --texture: #f5a65b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.2rem 4rem; color: var(--text);
  background: var(--back); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: .5rem 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
p { max-width: 46rem; } .soft { color: var(--soft); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--back); }
thead th { background: var(--card); } thead th:first-child { background: var(--card); }
.upright { width: auto; font-size: .82rem; } .upright th, .upright td { padding: .25rem .34rem; }
.dense { font-size: .72rem; } .dense th, .dense td { padding: .2rem; }
.dense .texture { display: block; } .dense .shape, .dense .texture { margin-left: .4rem; }
.upright thead th { vertical-align: bottom; }
.upright thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.kappa { background: color-mix(in srgb, var(--shape) calc(var(--kappa) * 45%), transparent); }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; padding: .7rem; background: var(--card); border-radius: .4rem; }
.figures figure { flex: 1 1 20rem; max-width: 44rem; } .figures figure.wide { flex-basis: 100%; }
.figures img { width: 100%; display: block; border-radius: .25rem; }
figcaption { font-weight: 600; padding-bottom: .4rem; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr));
  gap: 1rem; }
.examples img { width: 100%; display: block; border-radius: .25rem; }
.examples td, .examples th { padding: .12rem .3rem .12rem 0; font-size: .86rem; text-align: left;
  vertical-align: top; white-space: normal; }
.examples th { font-weight: normal; background: none; color: var(--soft); }
.shape { color: var(--shape); } .texture { color: var(--texture); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; font-family: monospace; }
@media (max-width: 34rem) { figure.wide { overflow-x: auto; } .wide img { width: 40rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
</style>
</head>
<body>
<main>
<h1>Shape bias</h1>
)";

using Labels = std::vector<StyledObserver>;

Labels labels_of(const Summary& summary, const FigureStyle& style) {
  std::vector<std::string> names;
  for (const GroupSummary& group : summary.groups) names.push_back(group.name);
  return assign_styles(names, style);
}

std::string introduction(const Summary& summary) {
  return format(
      "<p>In each of {} images the shape is of one category and the texture of another. Of the "
      "decisions for either, the shape bias is the share for the shape. The hit rate is the share "
      "of stimuli that were answered by either; guessing gives {}, and then a shape bias of "
      "0.5.</p>\n",
      summary.groups.empty() ? 0 : summary.groups.front().members.front().bias.total.n,
      fixed(chance_hit_rate(summary.categories), 3));
}

std::string warnings_html(const Summary& summary) {
  std::string html;
  for (const std::string& line : warnings(summary)) {
    html += format("<p><strong>Warning.</strong> {}</p>\n", escape_html(line));
  }
  for (const LeftOut& file : summary.left_out) {
    html += format("<p><strong>Left out.</strong> {}</p>\n", escape_html(file.reason));
  }
  return html;
}

std::string figures_html(const Report& report) {
  std::string html = "<h2>Figures</h2>\n<div class=\"figures\">\n";
  for (const ReportFigure& figure : report.figures) {
    html += format("<figure{}><figcaption>{}</figcaption><img src=\"{}\" alt=\"{}\"></figure>\n",
                   figure.is_wide ? " class=\"wide\"" : "", escape_html(figure.title),
                   data_uri("image/svg+xml", figure.svg), escape_html(figure.description));
  }
  return html + "</div>\n";
}

std::string cell(const std::string& text) {
  return format("<td>{}</td>", text);
}

std::string numbers_html(const Summary& summary, const Labels& labels) {
  std::string html =
      "<h2>Numbers</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">observer</th>"
      "<th scope=\"col\">n</th><th scope=\"col\">shape</th><th scope=\"col\">texture</th>"
      "<th scope=\"col\">shape bias</th><th scope=\"col\">95 % interval</th>"
      "<th scope=\"col\">hit rate</th><th scope=\"col\">accuracy</th></tr></thead>\n<tbody>\n";
  for (const StyledObserver& label : labels) {
    const ShapeBias& bias = summary.groups[label.index].bias;
    const CueCounts& counts = bias.total;
    const Interval interval = wilson95(counts.shape, counts.hits());
    html += format("<tr><th scope=\"row\">{}</th>", escape_html(label.label)) +
            cell(std::to_string(counts.n)) + cell(std::to_string(counts.shape)) +
            cell(std::to_string(counts.texture)) +
            cell(decimal_ratio(counts.shape, counts.hits(), 4)) +
            cell(format("{} – {}", fixed(interval.low, 3), fixed(interval.high, 3))) +
            cell(decimal_ratio(counts.hits(), counts.n, 3)) +
            cell(decimal_ratio(bias.correct, bias.decisions, 3)) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

// The beginning of a table with a column an observer. Many heads, or long ones, stand upright, so
// that the page has room for them side by side.
std::string observer_columns(std::string_view what, const Labels& labels) {
  constexpr size_t most_letters = 110, many = 14;
  size_t letters = 0;
  for (const StyledObserver& label : labels) letters += label.label.size() + 3;
  const bool is_upright = letters > most_letters;
  std::string html = format("<div class=\"scroll\"><table{}>\n<thead><tr><th scope=\"col\">{}</th>",
                            !is_upright             ? ""
                            : labels.size() <= many ? " class=\"upright\""
                                                    : " class=\"upright dense\"",
                            what);
  for (const StyledObserver& label : labels) {
    html += format("<th scope=\"col\"><span>{}</span></th>", escape_html(label.label));
  }
  return html + "</tr></thead>\n<tbody>\n";
}

// The more consistent, the stronger its colour.
std::string kappa_cell(double kappa) {
  const std::string text = fixed(kappa, 3);
  if (!(kappa > 0)) return cell(text);
  return format("<td class=\"kappa\" style=\"--kappa:{}\">{}</td>", fixed(kappa, 2), text);
}

std::string consistency_html(const Summary& summary, const Labels& labels) {
  std::string html =
      "<h2>Error consistency</h2>\n<p class=\"soft\">Cohen's kappa: 0 is what the accuracies alone "
      "would give, 1 is the same errors on the same stimuli. People: the mean over pairs.</p>\n" +
      observer_columns("observer", labels);
  for (const StyledObserver& row : labels) {
    html += format("<tr><th scope=\"row\">{}</th>", escape_html(row.label));
    for (const StyledObserver& column : labels) {
      html += kappa_cell(summary.group_kappa[row.index][column.index]);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string categories_html(const Summary& summary, const Labels& labels) {
  std::string html =
      "<h2>By category</h2>\n<p class=\"soft\">Decisions for the <span "
      "class=\"shape\">shape</span> "
      "+ for the <span class=\"texture\">texture</span>, by the category of the shape.</p>\n" +
      observer_columns("category", labels);
  for (size_t i = 0; i < summary.categories.size(); ++i) {
    html += format("<tr><th scope=\"row\">{}</th>", escape_html(summary.categories.name(i)));
    for (const StyledObserver& label : labels) {
      const CueCounts& counts = summary.groups[label.index].bias.per_category[i];
      html += cell(format("<span class=\"shape\">{}</span> + <span class=\"texture\">{}</span>",
                          counts.shape, counts.texture));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

// "clock (texture)" of one observer; "shape 8, texture 1, other 1" of several.
std::string answer_of(const ObserverGroup& group, const Stimulus& stimulus) {
  int shape = 0, texture = 0, other = 0;
  std::string response;
  for (const Observer& member : group.members) {
    for (const Decision& decision : member.decisions) {
      if (decision.stimulus.name != stimulus.name) continue;
      response = decision.response;
      ++(response == stimulus.shape ? shape : response == stimulus.texture ? texture : other);
    }
  }
  if (group.members.size() > 1) {
    return format(
        "<span class=\"shape\">shape {}</span>, <span class=\"texture\">texture {}</span>"
        ", other {}",
        shape, texture, other);
  }
  if (shape + texture == 0) return escape_html(response);
  const char* cue = shape > 0 ? "shape" : "texture";
  return format("<span class=\"{}\">{} ({})</span>", cue, escape_html(response), cue);
}

std::string examples_html(const Report& report, const Observations& observations,
                          const Labels& labels) {
  if (report.examples.empty()) return "";
  std::string html =
      "<h2>Examples</h2>\n<p class=\"soft\">Stimuli on which the observers disagree most.</p>\n"
      "<div class=\"examples\">\n";
  for (const ReportExample& example : report.examples) {
    const Stimulus& stimulus = example.stimulus;
    html += format(
        "<figure><img src=\"{}\" alt=\"The shape of {}, the texture of {}\">"
        "<figcaption>{} with the texture of {}</figcaption>\n<table><tbody>\n",
        data_uri("image/jpeg", example.jpeg), escape_html(stimulus.shape),
        escape_html(stimulus.texture), escape_html(stimulus.shape), escape_html(stimulus.texture));
    for (const StyledObserver& label : labels) {
      html += format("<tr><th scope=\"row\">{}</th>{}</tr>\n", escape_html(label.label),
                     cell(answer_of(observations.groups[label.index], stimulus)));
    }
    html += "</tbody></table></figure>\n";
  }
  return html + "</div>\n";
}

std::string made_by_html(const Report& report) {
  std::string html = "<h2>How it was made</h2>\n<dl>\n";
  for (const auto& [what, value] : report.made_by) {
    html += format("<dt>{}</dt><dd>{}</dd>\n", escape_html(what), escape_html(value));
  }
  return html + "</dl>\n</main>\n</body>\n</html>\n";
}

}  // namespace

std::string to_html(const Report& report, const Summary& summary, const Observations& observations,
                    const FigureStyle& style) {
  const Labels labels = labels_of(summary, style);
  return page_head + introduction(summary) + warnings_html(summary) + figures_html(report) +
         numbers_html(summary, labels) + consistency_html(summary, labels) +
         categories_html(summary, labels) + examples_html(report, observations, labels) +
         made_by_html(report);
}

}  // namespace gestalt::eval
