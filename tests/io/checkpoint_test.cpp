#include "tensor/io/checkpoint.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/error.h"
#include "tensor/io/state_dict_check.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"

namespace gestalt {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path fixtures = tests::source_folder() / "tests/fixtures/checkpoints";

Checkpoint read(const std::string& name) {
  return read_checkpoint((fixtures / name).string());
}

std::string reading_error(const std::string& name) {
  return tests::error_of([&] { read(name); });
}

std::vector<std::string> names_of(const StateDict& state) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : state) names.push_back(entry.name);
  return names;
}

const Tensor& find(const StateDict& state, const std::string& name) {
  const Tensor* tensor = find_tensor(state, name);
  GESTALT_CHECK(tensor != nullptr, "no tensor {}", name);
  return *tensor;
}

Json expectations() {
  std::ifstream file(fixtures / "expected.json");
  return Json::parse(file);
}

void expect_same(const Tensor& tensor, const Json& expected, const std::string& what) {
  EXPECT_EQ(to_string(tensor.dtype()), expected["dtype"].get<std::string>()) << what;
  const auto sizes = expected["shape"].get<std::vector<int64_t>>();
  EXPECT_EQ(tensor.shape(), Shape(sizes)) << what;
  EXPECT_EQ(tensor.to_vector<double>(), expected["values"].get<std::vector<double>>()) << what;
}

TEST(Checkpoint, EveryFixtureGivesTheTensorsThatPytorchSaved) {
  const Json expected = expectations();
  ASSERT_GE(expected.size(), 35u);
  for (const auto& [file, tensors] : expected.items()) {
    SCOPED_TRACE(file);
    const Checkpoint checkpoint = read(file);
    EXPECT_EQ(checkpoint.tensors.size(), tensors.size());
    for (const NamedTensor& entry : checkpoint.tensors) {
      ASSERT_TRUE(tensors.contains(entry.name)) << entry.name;
      expect_same(entry.tensor, tensors[entry.name], entry.name);
    }
  }
}

TEST(Checkpoint, TheFormatIsToldByContent) {
  EXPECT_EQ(read("state.zip.2x.pth").format, "PyTorch zip archive");
  EXPECT_EQ(read("script.2x.pt").format, "TorchScript archive");
  EXPECT_EQ(read("state.legacy.1x.pth").format, "PyTorch legacy stream");
  EXPECT_EQ(read("pickled_module.2x.p3.pkl").format, "pickled PyTorch module with its sources");
  EXPECT_EQ(read("reference.safetensors").format, "safetensors");
}

TEST(Checkpoint, TensorsThatSharedAStorageShareMemory) {
  for (const char* file : {"views.zip.2x.pth", "views.legacy.1x.pth"}) {
    const StateDict state = read(file).tensors;
    const Tensor base = find(state, "base");
    base.data<float>()[2 * 6 + 3] = 99;  // a private copy: the file stays as it is
    EXPECT_EQ(find(state, "row").to_vector<float>()[3], 99) << file;
    EXPECT_EQ(find(state, "column").to_vector<float>()[2], 99) << file;
    EXPECT_EQ(find(state, "block").to_vector<float>()[4], 99) << file;
    EXPECT_EQ(find(state, "transposed").to_vector<float>()[3 * 4 + 2], 99) << file;
    EXPECT_NE(find(read(file).tensors, "base").to_vector<float>()[15], 99) << file;
  }
}

TEST(Checkpoint, ChannelsLastWeightsKeepTheirStrides) {
  const Tensor tensor = find(read("views.zip.2x.pth").tensors, "channels_last");
  EXPECT_EQ(tensor.format(), Format::channels_last);
}

TEST(Checkpoint, WrappersAreFoundAndModuleIsStripped) {
  const std::vector<std::string> linear = {"weight", "bias"};
  EXPECT_EQ(names_of(find_state_dict(read("training.zip.2x.pth"))), linear);
  EXPECT_EQ(names_of(find_state_dict(read("training.legacy.1x.pth"), {.prefix = "net"})), linear);
  EXPECT_EQ(names_of(find_state_dict(read("training.zip.2x.pth"), {.prefix = "", .strip = ""}))[0],
            "module.weight");
  EXPECT_EQ(names_of(load_weights((fixtures / "state.zip.2x.pth").string()))[0], "conv.weight");
}

TEST(Checkpoint, SeveralStateDictsNeedAChoice) {
  const Checkpoint checkpoint = read("gan.zip.2x.pth");
  try {
    find_state_dict(checkpoint);
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("choose one by its prefix: g (3 tensors), d (1 tensor), g_ema (2 tensors)"),
              std::string::npos)
        << text;
  }
  EXPECT_EQ(names_of(find_state_dict(checkpoint, {.prefix = "g"})),
            (std::vector<std::string>{"conv.weight", "conv.bias", "bn.num_batches_tracked"}));
  EXPECT_EQ(names_of(find_state_dict(checkpoint, {.prefix = "g_ema"})),
            (std::vector<std::string>{"g_ema.0", "g_ema.1"}));
  EXPECT_THROW(find_state_dict(checkpoint, {.prefix = "generator"}), Error);
}

TEST(Checkpoint, WhatIsPassedOverIsSaid) {
  EXPECT_EQ(
      read("training.zip.2x.pth").passed_over,
      (std::vector<std::string>{"the optimizer state 'optimizer'",
                                "5 values that are not tensors: epoch, acc, best, name, history"}));
  EXPECT_EQ(read("gan.zip.1x.pth").passed_over,
            std::vector<std::string>{"the optimizer state 'opt_g'"});
}

// File and a part of the reason.
const std::map<std::string, std::string> reasons = {
    {"array.safetensors", "corrupt safetensors header"},
    {"arrays.npz", "NumPy .npz"},
    {"attack.legacy.pth", "refused: the pickle asks for 'posix.system'"},
    {"attack.p2.pkl", "refused: the pickle asks for 'posix.system'"},
    {"attack.zip.pth", "refused: the pickle asks for 'posix.system'"},
    {"beyond.safetensors", "truncated"},
    {"bomb_copies.pkl", "more memory than a file of its size may"},
    {"bomb_cycle.pkl", "nested more than 64 deep"},
    {"bomb_doubling.pkl", "values"},
    {"bomb_items.pkl", "more memory than a file of its size may"},
    {"bomb_long.pkl", "integer of 2147483647 bytes"},
    {"bomb_memo.pkl", "holds no tensors"},
    {"bomb_nested.pkl", "nested more than 64 deep"},
    {"bomb_rebuild.pkl", "a tensor is rebuilt by itself"},
    {"bomb_text.pkl", "truncated"},
    {"bomb_tuples.pkl", "nested more than 64 deep"},
    {"bomb_zip.pth", "more memory than a file of its size may"},
    {"checksum.pth", "CRC error"},
    {"complex.pth", "tensor 'z': the element type complex64 is not supported"},
    {"deep.safetensors", "corrupt safetensors header"},
    {"dtype.safetensors", "element type F4 is not supported"},
    {"empty.pth", "the file is empty"},
    {"fraction.safetensors", "not a whole number"},
    {"far.safetensors", "not a whole number"},
    {"global_builtins_eval.pkl", "refused: the pickle asks for 'builtins.eval'"},
    {"global_builtins_getattr.pkl", "refused"},
    {"global_os_system.pkl", "refused: the pickle asks for 'os.system'"},
    {"global_torch.nn.modules.module___builtins__.eval.pkl", "refused"},
    {"global_torch_load.pkl", "refused: the pickle asks for 'torch.load'"},
    {"header_beyond.safetensors", "truncated"},
    {"hole.safetensors", "begins at 4 where the one before ends at 0"},
    {"json.safetensors", "corrupt safetensors header"},
    {"length.safetensors", "not a checkpoint"},
    {"negative.safetensors", "not a whole number"},
    {"negative_bit.pth", "a tensor with PyTorch's negative bit"},
    {"no_pickle.pth", "a zip archive without data.pkl"},
    {"no_storage.pth", "no entry"},
    {"no_tensors.pth", "holds no tensors"},
    {"noise.pth", "not a checkpoint"},
    {"oldest.tar", "a tar archive"},
    {"outside_huge_stride.pth", "storage out of bounds"},
    {"outside_huge_view.pth", "the tensors claim"},
    {"outside_negative.pth", "storage out of bounds"},
    {"outside_offset.pth", "storage out of bounds"},
    {"outside_overflow.pth", "storage out of bounds"},
    {"outside_size.pth", "storage out of bounds"},
    {"outside_stride.pth", "storage out of bounds"},
    {"overflow.safetensors", "larger than any memory"},
    {"overlap.safetensors", "begins at 4 where the one before ends at 8"},
    {"page.pth", "a web page (HTML)"},
    {"pointer.pth", "it is a Git LFS pointer, not the file itself: run git lfs pull"},
    {"short_storage.pth", "storage '0' out of bounds"},
    {"size.safetensors", "its data has another size"},
    {"tail.safetensors", "4 bytes after the last tensor"},
    {"text.pth", "a text file"},
    {"truncated.pickled_module.2x.p3.pkl", "truncated"},
    {"truncated.reference.safetensors", "truncated"},
    {"truncated.state.legacy.2x.pth", "truncated"},
    {"truncated.state.zip.2x.pth", "truncated or damaged zip archive"},
};

TEST(Checkpoint, ABadFileIsOneLineWithItsNameAndTheReason) {
  std::set<std::string> seen;
  for (const auto& [name, reason] : reasons) {
    const std::string path = "bad/" + name, text = reading_error(path);
    EXPECT_NE(text.find(reason), std::string::npos) << name << ": " << text;
    EXPECT_NE(text.find(path), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    seen.insert(name);
  }
  for (const auto& entry : fs::directory_iterator(fixtures / "bad")) {
    EXPECT_TRUE(seen.contains(entry.path().filename())) << entry.path() << " is not tested";
  }
  EXPECT_FALSE(fs::exists("/tmp/gestalt_was_here")) << "something in a file was run";
}

TEST(Checkpoint, MissingFilesAndFolders) {
  EXPECT_NE(reading_error("nowhere.pth").find("no such file"), std::string::npos);
  EXPECT_NE(reading_error("bad").find("is a folder"), std::string::npos);
}

// Cut anywhere, a file is an error, never a crash and never half a state dict.
TEST(Checkpoint, EveryTruncationIsAnError) {
  for (const char* name : {"state.zip.2x.pth", "state.legacy.2x.pth", "pickled_module.2x.p4.pkl",
                           "storage_views.legacy.pth", "reference.safetensors"}) {
    const Bytes whole = map_file((fixtures / name).string());
    EXPECT_NO_THROW(read_checkpoint(whole, name));
    for (size_t size = 0; size < whole.size; ++size) {
      EXPECT_THROW(read_checkpoint(whole.slice(0, size), name), Error) << name << " at " << size;
    }
  }
}

TEST(Checkpoint, RealLpipsWeights) {
  const fs::path file = tests::test_data() / "lpips/v0.1/vgg.pth";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not there";
  const StateDict state = load_weights(file.string());
  const std::vector<int64_t> channels = {64, 128, 256, 512, 512};
  ASSERT_EQ(state.size(), channels.size());
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(state[i].name, "lin" + std::to_string(i) + ".model.1.weight");
    EXPECT_EQ(state[i].tensor.shape(), (Shape{1, channels[i], 1, 1}));
    for (const double value : state[i].tensor.to_vector<double>()) EXPECT_TRUE(value >= 0);
  }
}

TEST(StateDictCheck, ATableOfWhatDoesNotFit) {
  const std::vector<ExpectedTensor> expected = {{"a", {2}}, {"b", {3}}, {"c", {1, 4}}};
  StateDict actual;
  actual.push_back({"a", Tensor::zeros({2})});
  actual.push_back({"c", Tensor::zeros({4})});
  actual.push_back({"d", Tensor::zeros({1})});
  const StateDictReport report = compare_state_dicts(expected, actual);
  EXPECT_EQ(report.missing, std::vector<std::string>{"b"});
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"d"});
  ASSERT_EQ(report.mismatched.size(), 1u);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(to_string(report),
            "\n  missing (1):\n    b\n  unexpected (1):\n    d\n  mismatched (1):\n"
            "    c: expected [1,4], found [4]");
  actual.erase(actual.begin() + 1, actual.end());
  EXPECT_TRUE(compare_state_dicts(std::span(expected).first(1), actual).ok());
}

}  // namespace
}  // namespace gestalt
