#include "eval/report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "data/dataset.h"
#include "data/encode.h"
#include "data/resample.h"
#include "eval/text.h"
#include "kernels/error.h"
#include "tensor/io/bytes.h"
#include "tensor/io/known_files.h"
#include "tools/common/json_file.h"
#include "tools/common/output.h"
#include "tools/common/scratch_folder.h"
#include "tools/common/version.h"
#include "tools/shape_bias/commands.h"
#include "tools/shape_bias/figure.h"
#include "tools/shape_bias/input.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

struct Settings {
  InputSettings input;
  std::string data, out, style;
  size_t examples = 12;
};

std::string describe(const eval::Summary& summary) {
  std::vector<std::string> parts;
  for (const eval::GroupSummary& group : summary.groups) {
    parts.push_back(format("{} {}", eval::readable_name(group.name),
                           eval::fixed(eval::mean_over_categories(group.bias), 2)));
  }
  return format("Mean shape bias over the categories: {}. The tables below hold the numbers.",
                eval::join(parts, ", "));
}

std::vector<eval::ReportFigure> draw_figures(const eval::Summary& summary,
                                             const eval::FigureStyle& style) {
  struct Kind {
    eval::FigureKind kind;
    const char* title;
  };
  std::vector<Kind> kinds = {{eval::FigureKind::categories, "Decisions by category"},
                             {eval::FigureKind::box, "Shape bias over the categories"}};
  if (eval::has_sparsities(summary)) {
    kinds.push_back({eval::FigureKind::ablation, "By what Top-K keeps"});
  }

  const ScratchFolder folder;
  const fs::path picture = folder / "figure.svg";
  std::vector<eval::ReportFigure> figures;
  for (const auto& [kind, title] : kinds) {
    draw_figure(kind, summary, style, picture);
    figures.push_back({title, std::string(map_file(picture.string()).text()), describe(summary),
                       kind == eval::FigureKind::ablation});
  }
  return figures;
}

std::vector<uint8_t> small_jpeg(data::Image image) {
  constexpr int most = 224, quality = 85;
  const int longer = std::max(image.height, image.width);
  if (longer > most) {
    image = data::resize(image, std::max(1, image.height * most / longer),
                         std::max(1, image.width * most / longer), data::Filter::bilinear);
  }
  return data::encode_image(image, ".jpg", quality);
}

std::vector<eval::ReportExample> read_examples(const eval::Observations& observations,
                                               const Settings& settings) {
  if (settings.data.empty()) return {};
  const data::ImageSourcePtr stimuli = data::open_image_tree(settings.data);
  check_not_input(settings.out, *stimuli);
  std::map<std::string, int64_t> numbers;  // by the stimulus' name
  for (int64_t i = 0; i < stimuli->size(); ++i) {
    numbers[fs::path(stimuli->name(i)).stem().string()] = i;
  }
  std::vector<std::string> names;
  for (const auto& [name, number] : numbers) names.push_back(name);
  std::vector<eval::ReportExample> examples;
  for (const eval::Stimulus& stimulus :
       eval::choose_examples(observations, names, settings.examples)) {
    examples.push_back({stimulus, small_jpeg(stimuli->read(numbers.at(stimulus.name)))});
  }
  if (examples.empty()) {
    std::fprintf(stderr, "warning: no stimulus of '%s' is among the decisions: no examples\n",
                 settings.data.c_str());
  }
  return examples;
}

// What `evaluate` left beside its files about the network; of its long lists their lengths.
void add_networks(const std::set<fs::path>& folders,
                  std::vector<std::pair<std::string, std::string>>& made_by) {
  for (const fs::path& folder : folders) {
    const nlohmann::json config = read_json(folder / "config.json");
    if (!config.contains("settings") || !config["settings"].is_object()) continue;
    nlohmann::json network = config["settings"];
    for (const char* list : {"stimuli", "categories"}) {
      if (network.contains(list) && network[list].is_structured()) {
        network[list] = network[list].size();
      }
    }
    for (const char* key : {"version", "device"}) {
      if (config.contains(key)) network[key] = config[key];
    }
    made_by.emplace_back("network", network.dump());
  }
}

std::vector<std::pair<std::string, std::string>> made_by(const std::string& command,
                                                         const eval::Summary& summary) {
  std::vector<std::pair<std::string, std::string>> lines = {{"command", command},
                                                            {"program", version_text()}};
  std::set<fs::path> folders;
  std::vector<std::pair<std::string, std::string>> files;
  for (const eval::GroupSummary& group : summary.groups) {
    for (const std::string& file : group.files) {
      folders.insert(fs::path(file).parent_path());
      const std::string hash = sha256(map_file(file));
      files.emplace_back(fs::path(file).filename().string(),
                         hash.empty() ? "read" : format("SHA-256 {}", hash));
    }
  }
  add_networks(folders, lines);
  lines.insert(lines.end(), files.begin(), files.end());
  return lines;
}

int run(const Settings& settings, const std::string& command) {
  check_not_input(settings.out, settings.input);
  if (!settings.style.empty()) check_not_input(settings.out, fs::path(settings.style));
  const eval::FigureStyle style = load_figure_style(settings.style);
  const Input input = read_input(settings.input);
  eval::Report report;
  report.examples = read_examples(input.observations, settings);
  report.figures = draw_figures(input.summary, style);
  report.made_by = made_by(command, input.summary);
  write_text(settings.out, eval::to_html(report, input.summary, input.observations, style));
  std::printf("wrote %s\n", settings.out.c_str());
  return exit_done;
}

}  // namespace

Command add_report(Tool& tool) {
  auto settings = std::make_shared<Settings>();
  CLI::App* app = tool.app().add_subcommand(
      "report", "One HTML page: figures, tables, examples, and how it was made.");
  add_input_flags(*app, settings->input);
  app->add_option("--data", settings->data,
                  "the stimuli, folder or packed file, for examples; without, there are none")
      ->type_name("PATH");
  app->add_option("-o,--output,--out", settings->out, "the page, .html")
      ->type_name("FILE")
      ->required();
  app->add_option("--examples", settings->examples, "stimuli to show, at most one per category");
  app->add_option("--style", settings->style, "JSON file of labels, colours, markers, fonts")
      ->type_name("FILE");
  return {app, [settings, &tool] { return run(*settings, tool.command_line()); }};
}

}  // namespace gestalt::tools
