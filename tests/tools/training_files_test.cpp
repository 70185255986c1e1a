// The files that a training writes for other programs: TensorBoard's.

#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <map>

#include "kernels/error.h"
#include "tensor/io/npy.h"
#include "tests/tools/run_tool.h"
#include "tests/tools/training_fixture.h"
#include "tools/common/event_file.h"
#include "tools/training/options.h"
#include "tools/training/step_log.h"

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

// ---- steps within an epoch ----

TEST(StepLog, TellsOfTheMeanSinceTheRowBefore) {
  StepLog log(3);
  EXPECT_FALSE(log.add(1, 1));
  EXPECT_FALSE(log.add(2, 2));
  auto row = log.add(3, 6);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->step, 3);
  EXPECT_EQ(row->loss, 3);
  // Another one goes on with the same rows; step 6 has no loss.
  EXPECT_FALSE(log.add(4, 8));
  StepLog next(3), old(3);
  next.load_state_dict(log.state_dict(), 6);
  row = next.add(7, 4);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->step, 7);
  EXPECT_EQ(row->loss, 6);
  EXPECT_FALSE(next.add(8, 1));
  EXPECT_TRUE(next.add(9, 1));
  // One from before this was kept begins anew.
  old.load_state_dict({}, 4);
  EXPECT_FALSE(old.add(5, 1));
  row = old.add(6, 3);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->loss, 2);
}

// Step and value of the scalars of this name in the event files of a folder, by step.
std::multimap<int64_t, float> scalars(const fs::path& folder, const std::string& tag) {
  std::multimap<int64_t, float> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string text = read_text(entry.path());
    uint64_t length = 0;
    for (size_t at = 0; at < text.size(); at += length + 16) {
      std::memcpy(&length, text.data() + at, sizeof length);
      const std::string event = text.substr(at + 12, length);
      const size_t name = event.find(tag + '\x15');  // then the value
      if (name == std::string::npos) continue;
      float value = 0;
      std::memcpy(&value, event.data() + name + tag.size() + 1, sizeof value);
      found.emplace(event[10], value);  // behind its time; steps below 128
    }
  }
  return found;
}

using tests::with;
using RunsSteps = tests::TrainClassifier;

// Each once, also where a run was interrupted between two.
TEST_F(RunsSteps, AreToldOfWithinTheEpoch) {
  const fs::path folder = folder_ / "runs/steps";
  const auto flags = with(arguments("steps"), {"--total_epochs", "3"});  // of three steps each
  const tests::ToolResult first = tests::run_tool("train_classifier", flags, [&] {
    return fs::exists(folder / "log.txt") &&
           read_text(folder / "log.txt").find("step 2 (") != std::string::npos;
  });
  ASSERT_EQ(first.exit_code, 130) << first.output;
  const tests::ToolResult second = tests::run_tool("train_classifier", with(flags, {"--resume"}));
  ASSERT_EQ(second.exit_code, 0) << second.output;
  const std::vector<double> losses =
      load_npy((folder / "step_loss.npy").string()).to_vector<double>();
  ASSERT_EQ(losses.size(), 9u);
  const auto told = scalars(folder / "steps", "step/loss");
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(scalars(folder / "steps", "images_per_second").size(), 4u);
  const std::string log = read_text(folder / "log.txt");
  for (const int step : {2, 4, 6, 8}) {
    ASSERT_EQ(told.count(step), 1u) << step;
    EXPECT_NEAR(told.find(step)->second, (losses[step - 2] + losses[step - 1]) / 2, 1e-6) << step;
    const std::string line = "step " + std::to_string(step) + " (epoch " +
                             std::to_string((step - 1) / 3 + 1) + "/3): loss ";
    const size_t at = log.find(line);
    ASSERT_NE(at, std::string::npos) << line << '\n' << log;
    EXPECT_EQ(log.find(line, at + 1), std::string::npos) << log;
  }
  // A new run takes them away with the others.
  const auto once = with(arguments("steps"), {"--total_epochs", "1"});
  ASSERT_EQ(tests::run_tool("train_classifier", once).exit_code, 0);
  EXPECT_EQ(scalars(folder / "steps", "step/loss").size(), 1u);
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
