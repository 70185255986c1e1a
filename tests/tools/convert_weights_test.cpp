// The tool as a user runs it.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <limits>

#include "models/registry.h"
#include "tensor/io/checkpoint.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"
#include "tests/tools/run_tool.h"
#include "tests/tools/unheard_run.h"
#include "tools/common/weights.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

std::string fixture(const std::string& name) {
  return source_folder() / "tests/fixtures/checkpoints" / name;
}

ToolResult convert(const std::vector<std::string>& arguments) {
  return run_tool("convert_weights", arguments);
}

class ConvertWeights : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string out_ = folder_ / "out.safetensors";
};

TEST_F(ConvertWeights, TakesTheStateDictAndSaysWhatItPassedOver) {
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

// As behind `| head`: a listing longer than the pipe takes, which nobody reads.
TEST_F(ConvertWeights, AReaderThatIsGoneFindsTheFileWritten) {
  StateDict many;
  for (int i = 0; i < 2000; ++i) {
    many.push_back({format("{}.{}", std::string(100, 'a'), i), Tensor::full({1}, 1)});
  }
  write_safetensors(folder_ / "many.safetensors", many);
  run_unheard(
      "convert_weights", {folder_ / "many.safetensors", out_}, [] { return true; }, SIGCONT);
  EXPECT_EQ(load_weights(out_).size(), many.size());
}

TEST_F(ConvertWeights, SelectRenameStripAndDtype) {
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

// Numbers beside a state dict (an epoch) are tensors too.
TEST_F(ConvertWeights, SaysWhatItLeavesBesideTheOnlyStateDict) {
  const ToolResult outcome = convert({"--list", fixture("beside.zip.1x.pth")});
  EXPECT_NE(outcome.output.find("taken: 'state_dict' alone, without epoch\n"), std::string::npos)
      << outcome.output;
}

TEST_F(ConvertWeights, IsWhatOtherToolsAdviseWhereTheyGetSeveralStateDicts) {
  const std::string gan = fixture("gan.zip.2x.pth"), state = fixture("state.zip.2x.pth");
  EXPECT_EQ(error_of([&] { tools::read_weights(gan); }),
            "'" + gan +
                "' holds several state dicts, choose one (convert_weights --select): g, d, g_ema");
  EXPECT_EQ(tools::read_weights(state)[0].name, "conv.weight");
}

TEST_F(ConvertWeights, ListWritesNothing) {
  const ToolResult outcome = convert({"--list", fixture("gan.zip.2x.pth")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.output.find("g_ema.1 "), std::string::npos) << outcome.output;
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(ConvertWeights, ExitCodes) {
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

TEST_F(ConvertWeights, NeverWritesOverItsOwnInput) {
  const std::string in = folder_ / "in.safetensors", link = folder_ / "link";
  write_safetensors(in, StateDict{{"a", Tensor::zeros({2})}, {"b", Tensor::zeros({2})}});
  fs::create_symlink(in, link);
  const std::string before = read_text(in);
  for (const std::string& out : {in, link}) {
    const ToolResult outcome = convert({in, out, "--dtype", "f16"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_NE(outcome.output.find("would overwrite its own input"), std::string::npos)
        << outcome.output;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
  }
  EXPECT_EQ(read_text(in), before);
}

TEST_F(ConvertWeights, FiniteValuesDoNotBecomeInfinite) {
  const std::string in = folder_ / "in.safetensors";
  const std::vector<float> large = {1, 65504, 70000, -1e30f, INFINITY, NAN};
  write_safetensors(in, StateDict{{"fits", Tensor::full({3}, 65504)},
                                  {"large", Tensor::from_vector(large, {2, 3})}});
  const ToolResult outcome = convert({in, out_, "--dtype", "f16"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.output,
            "convert_weights: --dtype f16: finite values would become infinite in 'large' (2 of 6 "
            "values)\n");
  EXPECT_FALSE(fs::exists(out_));
  // What was infinite may stay so.
  EXPECT_EQ(convert({in, out_, "--dtype", "bf16"}).exit_code, 0);
  EXPECT_EQ(load_weights(out_)[1].tensor.to_vector<double>()[4], INFINITY);
  // Rounding alone can do it: the largest f32 is beyond the largest bf16.
  write_safetensors(in, StateDict{{"x", Tensor::full({1}, std::numeric_limits<float>::max())}});
  EXPECT_NE(convert({in, out_, "--dtype", "bf16"}).output.find("'x' (1 of 1 value)"),
            std::string::npos);
  EXPECT_EQ(convert({in, out_, "--dtype", "f64"}).exit_code, 0);
}

TEST_F(ConvertWeights, StripTakesEachPrefixInOrderAndOneThatIsNowhereIsAnError) {
  const std::string in = folder_ / "in.safetensors";
  write_safetensors(
      in, StateDict{{"module.net.a", Tensor::zeros({1})}, {"module.b", Tensor::zeros({1})}});
  ASSERT_EQ(convert({in, out_}).exit_code, 0);
  EXPECT_EQ(load_weights(out_)[0].name, "b");
  EXPECT_EQ(load_weights(out_)[1].name, "net.a");
  ASSERT_EQ(convert({in, out_, "--strip", "module.", "--strip", "net."}).exit_code, 0);
  EXPECT_EQ(load_weights(out_)[0].name, "a");
  const ToolResult outcome = convert({in, out_, "--strip", "nte."});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.output, "convert_weights: --strip nte.: no name begins so\n");
}

TEST_F(ConvertWeights, WhatCannotBeWrittenIsFoundBeforeAnythingIsPrinted) {
  const std::string state = fixture("state.zip.2x.pth"), in = folder_ / "in.safetensors";
  write_safetensors(in, StateDict{{"a", Tensor::zeros({1})}, {"b", Tensor::zeros({1})}});
  const auto refusal = [&](const std::vector<std::string>& arguments) {
    const ToolResult outcome = convert(arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
    return outcome.output;
  };
  EXPECT_NE(refusal({in, out_, "--rename", "a=c", "--rename", "b=c"})
                .find("'a' and 'b' would both be named 'c'"),
            std::string::npos);
  EXPECT_NE(refusal({in, out_, "--rename", "a="}).find("'a' is left without a name"),
            std::string::npos);
  EXPECT_NE(refusal({state, folder_ / "none/out"}).find("No such file or directory"),
            std::string::npos);
  EXPECT_NE(refusal({state, folder_.path().string()}).find("is a folder"), std::string::npos);
}

TEST_F(ConvertWeights, WeightsThatFitTheArchitectureAreWritten) {
  const std::string in = folder_ / "vgg.safetensors";
  write_safetensors(in, models::make_model("vgg19-normalized")->state_dict());
  const ToolResult outcome = convert({in, out_, "--architecture", "vgg19-normalized"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("fits vgg19-normalized"), std::string::npos) << outcome.output;
  EXPECT_EQ(load_weights(out_).size(), 32u);
}

TEST_F(ConvertWeights, WeightsThatDoNotFitAreATableAndNoFile) {
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
