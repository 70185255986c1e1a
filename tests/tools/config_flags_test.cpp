// config.json, and with it what --resume compares, holds every flag of a job that can go on.

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tools/fewshot/options.h"
#include "tools/stylize/train_options.h"
#include "tools/synthesis/options.h"
#include "tools/training/options.h"

namespace gestalt::tools {
namespace {

using Flags = std::set<std::string>;

// Of these settings with their defaults: the flags of which config.json has none of the names.
template <class Settings>
Flags flags_left_out(void (*add_flags)(Tool&, Settings&)) {
  Settings settings;
  Tool tool("tool", "Does something.");
  add_flags(tool, settings);
  tool.add_common_flags(tool.app());
  const nlohmann::json config = to_json(settings, tool.common());
  Flags left_out;
  for (const CLI::Option* option : tool.app().get_options()) {
    std::vector<std::string> names = option->get_lnames();
    if (names.empty()) names = option->get_snames();
    const auto is_held = [&](const std::string& name) { return config.contains(name); };
    if (std::none_of(names.begin(), names.end(), is_held)) left_out.insert(names[0]);
  }
  return left_out;
}

// A run that goes on differs from the one before in --resume at least.
TEST(ConfigHoldsEveryFlag, OfTextureSynthesis) {
  EXPECT_EQ(flags_left_out(add_synthesis_flags), (Flags{"help", "version", "resume"}));
  const nlohmann::json config = to_json(SynthesisSettings{}, CommonOptions{});
  for (const std::string& name : free_settings) EXPECT_TRUE(config.contains(name)) << name;
}

// With --evaluate nothing is trained, and no config.json is written.
TEST(ConfigHoldsEveryFlag, OfClassifierTraining) {
  EXPECT_EQ(flags_left_out(add_training_flags),
            (Flags{"help", "version", "resume", "resume_if_any", "evaluate"}));
}

// --nonoise says what "noise" says, --start_iter and --cuda do nothing, and what excitation `auto`
// means is known with the checkpoint alone, after which config.json has it.
TEST(ConfigHoldsEveryFlag, OfFewshotTraining) {
  EXPECT_EQ(flags_left_out(add_fewshot_flags),
            (Flags{"help", "version", "resume", "resume_if_any", "nonoise", "start_iter", "cuda",
                   "excitation"}));
}

TEST(ConfigHoldsEveryFlag, OfStylizerTraining) {
  EXPECT_EQ(flags_left_out(add_train_stylizer_flags),
            (Flags{"help", "version", "resume", "resume_if_any"}));
}

}  // namespace
}  // namespace gestalt::tools
