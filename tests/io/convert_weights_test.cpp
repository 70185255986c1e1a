// The tool as a user runs it.

#include <cstdio>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/io/checkpoint.h"

namespace gestalt {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int code;
  std::string output;
};

class ConvertWeights : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(tool_)) GTEST_SKIP() << tool_ << " is not built";
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Outcome run(const std::string& arguments) const {
    FILE* pipe = ::popen((tool_ + ' ' + arguments + " 2>&1").c_str(), "r");
    Outcome outcome;
    char buffer[256];
    while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) outcome.output += buffer;
    outcome.code = WEXITSTATUS(::pclose(pipe));
    return outcome;
  }
  static std::string fixture(const std::string& name) {
    return std::string(GESTALT_SOURCE_DIR "/tests/fixtures/checkpoints/") + name;
  }

  const std::string tool_ = GESTALT_BINARY_DIR "/bin/convert_weights";
  const fs::path folder_ =
      fs::temp_directory_path() / ("gestalt_convert_" + std::to_string(::getpid()));
  const std::string out_ = (folder_ / "out.safetensors").string();
};

TEST_F(ConvertWeights, takes_the_state_dict_and_says_what_it_passed_over) {
  const Outcome outcome = run(fixture("training.zip.2x.pth") + ' ' + out_);
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  for (const char* line : {"PyTorch zip archive", "passed over: the optimizer state 'optimizer'",
                           "weight  f32   [2,3]", "2 tensors, 8 values"}) {
    EXPECT_NE(outcome.output.find(line), std::string::npos) << outcome.output;
  }
  const StateDict state = load_weights(out_);
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].name, "bias");
  EXPECT_EQ(state[1].tensor.to_vector<float>(),
            (std::vector<float>{-3, -2.75, -2.5, -2.25, -2, -1.75}));
}

TEST_F(ConvertWeights, select_rename_strip_and_dtype) {
  const Outcome outcome = run(fixture("gan.zip.1x.pth") + ' ' + out_ +
                              " --select g --rename conv.=c. --rename c.bias=b --strip bn. "
                              "--dtype bf16 --quiet");
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  const StateDict state = load_weights(out_);
  ASSERT_EQ(state.size(), 3u);
  EXPECT_EQ(state[0].name, "num_batches_tracked");
  EXPECT_EQ(state[0].tensor.dtype(), DType::i64);
  EXPECT_EQ(state[1].name, "b");
  EXPECT_EQ(state[2].name, "c.weight");
  EXPECT_EQ(state[2].tensor.dtype(), DType::bf16);
}

TEST_F(ConvertWeights, list_writes_nothing) {
  const Outcome outcome = run("--list " + fixture("gan.zip.2x.pth"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.output.find("g_ema.1 "), std::string::npos) << outcome.output;
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(ConvertWeights, exit_codes) {
  EXPECT_EQ(run("--help").code, 0);
  EXPECT_EQ(run(fixture("state.zip.2x.pth")).code, 2);
  EXPECT_EQ(run(fixture("state.zip.2x.pth") + ' ' + out_ + " --dtype i64").code, 2);
  const Outcome refused = run(fixture("bad/attack.zip.pth") + ' ' + out_);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.output.find("refused: the pickle asks for 'posix.system'"), std::string::npos);
  EXPECT_EQ(run(fixture("state.zip.2x.pth") + ' ' + out_ + " --rename nothing=x").code, 1);
  EXPECT_EQ(run(fixture("gan.zip.2x.pth") + ' ' + out_ + " --select generator").code, 1);
  EXPECT_FALSE(fs::exists(out_));
}

}  // namespace
}  // namespace gestalt
