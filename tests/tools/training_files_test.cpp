// The files that a training writes for other programs: TensorBoard's.

#include <cstring>
#include <fstream>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/tools/run_tool.h"
#include "tools/common/event_file.h"
#include "tools/training/options.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

using tests::read_text;

// RFC 3720, appendix B.4, and the usual check value.
TEST(EventFile, UsesCastagnolisChecksum) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
}

// The record of b"abc" as tensorboard's RecordWriter wrote it.
TEST(EventFile, FramesRecordsAsTensorFlowDoes) {
  EXPECT_EQ(tf_record("abc"), std::string("\x03\0\0\0\0\0\0\0\xb0\x99\x49\x0e"
                                          "abcnW\xf1!",
                                          19));
}

// Where TensorBoard drops points that come again: at a START of SessionLog, from its step on, but
// not at the first one of a run.
TEST(EventFile, BeginsWithAStartAtItsFirstStep) {
  for (const auto& [step, bytes] :
       {std::pair(1, std::string("\x01")), std::pair(300, std::string("\xac\x02"))}) {
    const tests::TemporaryFolder folder;
    EventFile file(folder.path(), step);
    const std::string text = read_text(fs::directory_iterator(folder.path())->path());
    const auto event_at = [&](size_t record) {
      uint64_t length = 0;
      std::memcpy(&length, text.data() + record, sizeof length);
      return text.substr(record + 12, length);
    };
    const std::string version = event_at(0), start = event_at(version.size() + 16);
    EXPECT_TRUE(
        version.ends_with("\x1a\x0d"
                          "brain.Event:2"));
    EXPECT_EQ(start.substr(9), "\x10" + bytes + "\x3a\x02\x08\x01");  // after its time
    EXPECT_EQ(text.size(), version.size() + start.size() + 32);
  }
}

TEST(TopKFlag, TakesLevelsAndPercentages) {
  const auto levels = parse_topk("2-3_10-5", "resnet18");
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(levels[0].place, "layer2");
  EXPECT_EQ(levels[1].fraction, 0.05);
  EXPECT_EQ(parse_topk("2_20", "alexnet")[0].place, "features.5");
  EXPECT_TRUE(parse_topk("none", "resnet18").empty());
  for (const char* bad : {"", "2", "2_", "x_20", "5_20", "0_20", "1.5_20", "2_0", "2_101", "2-2_20",
                          "1-2_20-10-5", "2_20_3"}) {
    EXPECT_THROW(parse_topk(bad, "resnet18"), Error) << bad;
  }
}

}  // namespace
}  // namespace gestalt::tools
