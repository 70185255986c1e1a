// The tool as a user runs it.

#include <filesystem>
#include <gtest/gtest.h>

#include "models/registry.h"
#include "tensor/io/checkpoint.h"
#include "tests/tools/run_tool.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

std::string fixture(const std::string& name) {
  return std::string(GESTALT_SOURCE_DIR "/tests/fixtures/checkpoints/") + name;
}

ToolResult convert(const std::vector<std::string>& arguments) {
  return run_tool("convert_weights", arguments);
}

class ConvertWeights : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string out_ = folder_ / "out.safetensors";
};

TEST_F(ConvertWeights, takes_the_state_dict_and_says_what_it_passed_over) {
  const ToolResult outcome = convert({fixture("training.zip.2x.pth"), out_});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
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
  const ToolResult outcome =
      convert({fixture("gan.zip.1x.pth"), out_, "--select", "g", "--rename", "conv.=c.", "--rename",
               "c.bias=b", "--strip", "bn.", "--dtype", "bf16", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  const StateDict state = load_weights(out_);
  ASSERT_EQ(state.size(), 3u);
  EXPECT_EQ(state[0].name, "num_batches_tracked");
  EXPECT_EQ(state[0].tensor.dtype(), DType::i64);
  EXPECT_EQ(state[1].name, "b");
  EXPECT_EQ(state[2].name, "c.weight");
  EXPECT_EQ(state[2].tensor.dtype(), DType::bf16);
}

TEST_F(ConvertWeights, list_writes_nothing) {
  const ToolResult outcome = convert({"--list", fixture("gan.zip.2x.pth")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.output.find("g_ema.1 "), std::string::npos) << outcome.output;
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(ConvertWeights, exit_codes) {
  const std::string state = fixture("state.zip.2x.pth"), gan = fixture("gan.zip.2x.pth");
  EXPECT_EQ(convert({"--help"}).exit_code, 0);
  EXPECT_EQ(convert({state}).exit_code, 2);
  EXPECT_EQ(convert({state, out_, "--list"}).exit_code, 2);
  EXPECT_EQ(convert({state, out_, "--dtype", "i64"}).exit_code, 2);
  EXPECT_EQ(convert({state, out_, "--architecture", "vgg20"}).exit_code, 2);
  const ToolResult refused = convert({fixture("bad/attack.zip.pth"), out_});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.output.find("refused: the pickle asks for 'posix.system'"), std::string::npos);
  EXPECT_EQ(convert({state, out_, "--rename", "nothing"}).exit_code, 2);
  EXPECT_EQ(convert({state, out_, "--rename", "nothing=x"}).exit_code, 1);
  EXPECT_EQ(convert({gan, out_, "--select", "generator"}).exit_code, 1);
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(ConvertWeights, weights_that_fit_the_architecture_are_written) {
  const std::string in = folder_ / "vgg.safetensors";
  write_safetensors(in, models::make_model("vgg19-normalized")->state_dict());
  const ToolResult outcome = convert({in, out_, "--architecture", "vgg19-normalized"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("fits vgg19-normalized"), std::string::npos) << outcome.output;
  EXPECT_EQ(load_weights(out_).size(), 32u);
}

TEST_F(ConvertWeights, weights_that_do_not_fit_are_a_table_and_no_file) {
  StateDict state = models::make_model("vgg19-normalized")->state_dict();
  state[0].tensor = Tensor::zeros({64, 1, 3, 3});
  state[2].name = "conv9_9.weight";
  const std::string in = folder_ / "vgg.safetensors";
  write_safetensors(in, state);
  const ToolResult outcome = convert({in, out_, "--architecture", "vgg19-normalized", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 1);
  for (const char* line :
       {"convert_weights: the weights do not fit vgg19-normalized:", "missing (1):",
        "    conv1_2.weight", "unexpected (1):", "    conv9_9.weight",
        "mismatched (1):", "    conv1_1.weight: expected [64,3,3,3], found [64,1,3,3]"}) {
    EXPECT_NE(outcome.output.find(line), std::string::npos) << line << '\n' << outcome.output;
  }
  EXPECT_FALSE(fs::exists(out_));
}

}  // namespace
}  // namespace gestalt::tests
