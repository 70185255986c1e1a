#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/common/output.h"
#include "tools/shape_bias/commands.h"
#include "tools/shape_bias/input.h"

namespace gestalt::tools {
namespace {

struct Settings {
  InputSettings input;
  std::string json;
};

int run(const Settings& settings) {
  check_not_input(settings.json, settings.input);
  const Input input = read_input(settings.input);
  const std::string json = eval::to_json(input.summary).dump(2) + "\n";
  const bool to_stdout = settings.json == "-";
  std::fputs(to_stdout ? json.c_str() : eval::to_table(input.summary).c_str(), stdout);
  if (!settings.json.empty() && !to_stdout) write_text(settings.json, json);
  return exit_done;
}

}  // namespace

Command add_summarize(Tool& tool) {
  auto settings = std::make_shared<Settings>();
  CLI::App* app = tool.app().add_subcommand(
      "summarize", "Shape bias, hit rate, accuracy and error consistency of observers.");
  add_input_flags(*app, settings->input);
  app->add_option("--json", settings->json,
                  "also write all numbers here; -: to stdout, in place of the table")
      ->type_name("FILE");
  return {app, [settings] { return run(*settings); }};
}

}  // namespace gestalt::tools
