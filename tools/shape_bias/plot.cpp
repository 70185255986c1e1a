#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/common/choice.h"
#include "tools/common/output.h"
#include "tools/shape_bias/commands.h"
#include "tools/shape_bias/figure.h"
#include "tools/shape_bias/input.h"

namespace gestalt::tools {
namespace {

struct Settings {
  InputSettings input;
  std::string out, style;
  eval::FigureKind kind = eval::FigureKind::categories;
};

const Names<eval::FigureKind> kind_names = {{"figure", eval::FigureKind::categories},
                                            {"box", eval::FigureKind::box},
                                            {"ablation", eval::FigureKind::ablation}};

int run(const Settings& settings) {
  check_not_input(settings.out, settings.input);
  if (!settings.style.empty()) {
    check_not_input(settings.out, std::filesystem::path(settings.style));
  }
  const eval::FigureStyle style = load_figure_style(settings.style);
  const Input input = read_input(settings.input);
  draw_figure(settings.kind, input.summary, style, settings.out);
  std::printf("wrote %s\n", settings.out.c_str());
  return exit_done;
}

}  // namespace

Command add_plot(Tool& tool) {
  auto settings = std::make_shared<Settings>();
  CLI::App* app = tool.app().add_subcommand("plot", "Figures of shape bias, drawn by gnuplot.");
  add_input_flags(*app, settings->input);
  app->add_option("-o,--output,--out", settings->out,
                  "the picture, .svg, .png or .pdf; its gnuplot script stays beside it, as FILE.gp")
      ->type_name("FILE")
      ->required();
  add_choice(*app, "--kind", settings->kind, kind_names,
             "figure: a row per category; box: quartiles over the categories; ablation: the "
             "sparsities of each network");
  app->add_option("--style", settings->style, "JSON file of labels, colours, markers, fonts")
      ->type_name("FILE");
  return {app, [settings] { return run(*settings); }};
}

Command add_style(Tool& tool) {
  CLI::App* app =
      tool.app().add_subcommand("style", "Prints the built-in style of figures, to be changed.");
  return {app, [] {
            std::printf("%s\n", eval::to_json(eval::default_figure_style()).dump(2).c_str());
            return static_cast<int>(exit_done);
          }};
}

}  // namespace gestalt::tools
