// contact_sheet as a user runs it.

#include <gtest/gtest.h>

#include "data/encode.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

TEST(ContactSheetTool, WritesASheetAndNeverOverAPicture) {
  const TemporaryFolder folder;
  const std::string a = folder / "a.png", b = folder / "b.png", sheet = folder / "sheet.png";
  data::save_image(a, data::Image(20, 30));
  data::save_image(b, data::Image(30, 20));
  const auto run = [&](const std::string& output, const std::string& columns) {
    return run_tool("contact_sheet", {"-o", output, "--columns", columns, "--rows", "row", a, b});
  };
  EXPECT_EQ(run(sheet, "one,two").exit_code, 0);
  EXPECT_GT(data::decode_image(sheet).width, 400);
  const ToolResult wrong = run(sheet, "one");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.output.find("1 column and 1 row need 1 image, got 2"), std::string::npos)
      << wrong.output;
  const ToolResult empty = run(sheet, ",");
  EXPECT_EQ(empty.exit_code, 2);
  EXPECT_EQ(empty.output,
            "contact_sheet: --columns: an empty value in ',' (--help lists the flags)\n");
  const ToolResult over = run(b, "one,two");
  EXPECT_EQ(over.exit_code, 2);
  EXPECT_NE(over.output.find("would overwrite its own input"), std::string::npos) << over.output;
  EXPECT_EQ(data::decode_image(b).width, 20);
}

}  // namespace
}  // namespace gestalt::tests
