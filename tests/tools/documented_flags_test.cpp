// The flags that --help lists are those of the tables in docs/, other names of them included.

#include <gtest/gtest.h>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/source_folder.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

using Flags = std::set<std::string>;

// Every program has these.
const Flags not_documented = {"-h", "--help", "--version"};

Flags without(Flags flags, const Flags& others) {
  for (const std::string& flag : others) flags.erase(flag);
  return flags;
}

// Lines of --help that are of a flag begin with "  -i,--input".
Flags flags_of_help(const std::string& help) {
  Flags flags;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(2, line.find(' ', 2) - 2));
    for (std::string name; std::getline(names, name, ',');) flags.insert(name);
  }
  return flags;
}

// The flags among the code of a table row's first cell: of "| `-o`, `--output FILE` | ..." both.
void add_flags_of_row(const std::string& row, Flags& flags) {
  size_t end = row.find('|', 1);
  while (end != std::string::npos && row[end - 1] == '\\') end = row.find('|', end + 1);
  const std::string cell = row.substr(0, end);
  for (size_t open = cell.find('`'); open != std::string::npos;) {
    const size_t close = cell.find('`', open + 1);
    const std::string code = cell.substr(open + 1, close - open - 1);
    if (code.starts_with('-')) flags.insert(code.substr(0, code.find(' ')));
    open = close == std::string::npos ? close : cell.find('`', close + 1);
  }
}

// Of the page's tables whose first column is "flag"; of those below "## SECTION" where it is named.
Flags flags_of_page(const std::string& page, const std::string& section) {
  Flags flags;
  bool here = section.empty(), in_table = false;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ") && !section.empty()) here = line == "## " + section;
    in_table = line.starts_with("| flag |") || (in_table && line.starts_with("|"));
    if (here && in_table) add_flags_of_row(line, flags);
  }
  return flags;
}

TEST(DocumentedFlags, AreFoundInHelpAndInTables) {
  EXPECT_EQ(flags_of_help("Does -x.\n  -i,--input TEXT=-a   from\n      --no flag\n  --quiet  q\n"),
            (Flags{"-i", "--input", "--quiet"}));
  const std::string page =
      "## one\n| flag | x |\n| --- | --- |\n| `-o`, `--out a\\|-b` | `--c` |\n\n"
      "| file |\n| `--d` |\n## two\n| flag |\n| `--e` (`--f F`) |\n";
  EXPECT_EQ(flags_of_page(page, ""), (Flags{"-o", "--out", "--e", "--f"}));
  EXPECT_EQ(flags_of_page(page, "two"), (Flags{"--e", "--f"}));
}

struct Documented {
  std::string tool, subcommand = {};
};

void PrintTo(const Documented& documented, std::ostream* out) {
  *out << documented.tool << " " << documented.subcommand;
}

class DocumentedFlagsOf : public testing::TestWithParam<Documented> {};

TEST_P(DocumentedFlagsOf, HelpAreThoseOfThePage) {
  const auto& [tool, subcommand] = GetParam();
  std::vector<std::string> arguments = {"--help"};
  if (!subcommand.empty()) arguments.insert(arguments.begin(), subcommand);
  const ToolResult help = run_tool(tool, arguments);
  ASSERT_EQ(help.exit_code, 0) << help.output;
  const Flags shown = without(flags_of_help(help.output), not_documented);
  const Flags documented =
      flags_of_page(read_text(source_folder() / "docs" / (tool + ".md")), subcommand);
  ASSERT_FALSE(shown.empty()) << help.output;
  EXPECT_EQ(without(shown, documented), Flags{}) << "not in docs/" << tool << ".md";
  EXPECT_EQ(without(documented, shown), Flags{}) << "not in --help";
}

INSTANTIATE_TEST_SUITE_P(
    Tools, DocumentedFlagsOf,
    testing::Values(Documented{"contact_sheet"}, Documented{"convert_weights"},
                    Documented{"measure_fid"}, Documented{"pack_images"},
                    Documented{"sample_fewshot_gan"}, Documented{"shape_bias", "evaluate"},
                    Documented{"shape_bias", "summarize"}, Documented{"shape_bias", "plot"},
                    Documented{"shape_bias", "report"}, Documented{"stylize_images"},
                    Documented{"synthesize_texture"}, Documented{"train_classifier"},
                    Documented{"train_fewshot_gan"}, Documented{"train_stylizer"},
                    Documented{"visualize_topk"}),
    [](const auto& info) { return info.param.tool + "_" + info.param.subcommand; });

}  // namespace
}  // namespace gestalt::tests
