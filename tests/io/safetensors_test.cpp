#include "tensor/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tests/error_of.h"
#include "tests/temporary_folder.h"

namespace gestalt {
namespace {

namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  const tests::TemporaryFolder folder_;
};

template <class T>
Tensor counting(const Shape& shape) {
  std::vector<T> values(shape.numel());
  for (size_t i = 0; i < values.size(); ++i) values[i] = T(static_cast<float>(i));
  return Tensor::from_vector(values, shape);
}

StateDict every_dtype() {
  return {{"u8", counting<uint8_t>({3})},       {"f32", counting<float>({2, 3})},
          {"f16", counting<float16>({5})},      {"f64", counting<double>({2})},
          {"bf16", counting<bfloat16>({1, 7})}, {"i64", counting<int64_t>({})},
          {"empty", counting<float>({0, 4})}};
}

TEST_F(Safetensors, RoundTrip) {
  const StateDict state = every_dtype();
  write_safetensors(path("a"), state, {{"format", "pt"}, {"made by", "a test"}});
  Metadata metadata;
  const StateDict back = read_safetensors(map_file(path("a")), &metadata);
  EXPECT_EQ(metadata["made by"], "a test");
  ASSERT_EQ(back.size(), state.size());
  for (const NamedTensor& entry : state) {
    const auto found = std::find_if(back.begin(), back.end(),
                                    [&](const NamedTensor& b) { return b.name == entry.name; });
    ASSERT_NE(found, back.end()) << entry.name;
    EXPECT_EQ(found->tensor.dtype(), entry.tensor.dtype());
    EXPECT_EQ(found->tensor.shape(), entry.tensor.shape());
    EXPECT_EQ(found->tensor.to_vector<double>(), entry.tensor.to_vector<double>());
  }
}

TEST_F(Safetensors, HeaderIsSortedAndAllDataIsAligned) {
  write_safetensors(path("a"), every_dtype());
  const Bytes file = map_file(path("a"));
  uint64_t length;
  std::memcpy(&length, file.data, 8);
  EXPECT_EQ(length % 8, 0u);
  const std::string_view header = file.text().substr(8, length);
  const char* sorted[] = {"\"bf16\"", "\"empty\"", "\"f16\"", "\"f32\"",
                          "\"f64\"",  "\"i64\"",   "\"u8\""};
  for (size_t i = 1; i < std::size(sorted); ++i) {
    EXPECT_LT(header.find(sorted[i - 1]), header.find(sorted[i]));
  }
  for (const NamedTensor& entry : read_safetensors(file)) {
    if (entry.tensor.numel() == 0) continue;
    const auto address = reinterpret_cast<const std::byte*>(entry.tensor.view().data);
    EXPECT_TRUE(address >= file.data && address <= file.data + file.size)
        << entry.name << " is a copy, so it was not aligned";
  }
}

TEST_F(Safetensors, TheSameTensorsInAnyOrderGiveTheSameBytes) {
  StateDict state = every_dtype();
  write_safetensors(path("a"), state);
  std::reverse(state.begin(), state.end());
  write_safetensors(path("b"), state);
  EXPECT_EQ(map_file(path("a")).text(), map_file(path("b")).text());
}

TEST_F(Safetensors, StridedTensorsAreWrittenInLogicalOrder) {
  const Tensor base = counting<float>({3, 4});
  write_safetensors(path("a"), std::vector<NamedTensor>{{"t", base.as_strided({4, 3}, {1, 4}, 0)}});
  EXPECT_EQ(read_safetensors(map_file(path("a")))[0].tensor.to_vector<float>(),
            (std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
}

TEST_F(Safetensors, NamesMayHoldAnythingButMustBeUnique) {
  const Tensor one = counting<float>({1});
  write_safetensors(path("a"), std::vector<NamedTensor>{{"a \"b\"\n\xc3\xbc", one}});
  EXPECT_EQ(read_safetensors(map_file(path("a")))[0].name, "a \"b\"\n\xc3\xbc");
  EXPECT_THROW(write_safetensors(path("b"), std::vector<NamedTensor>{{"x", one}, {"x", one}}),
               Error);
  EXPECT_THROW(write_safetensors(path("b"), std::vector<NamedTensor>{{"\xff", one}}), Error);
  EXPECT_FALSE(fs::exists(path("b")));
}

TEST_F(Safetensors, HeadersThatCannotBeAreRefused) {
  const auto refusal = [&](const std::string& header) {
    const uint64_t length = header.size();
    std::ofstream(path("a"), std::ios::binary)
        .write(reinterpret_cast<const char*>(&length), 8)
        .write((header + "A").data(), static_cast<std::streamsize>(length + 1));
    return tests::error_of([&] { read_safetensors(map_file(path("a"))); });
  };
  EXPECT_EQ(refusal(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                    R"("x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"),
            "corrupt: two tensors are named 'x'");
  // Empty, yet with strides beyond what can be counted.
  EXPECT_EQ(refusal(R"({"x":{"dtype":"U8","shape":[0,4611686018427387904,4611686018427387904],)"
                    R"("data_offsets":[0,0]}})"),
            "tensor 'x' is larger than any memory");
  EXPECT_EQ(refusal(R"({"x":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})"),
            "tensor 'x' has 9 dimensions (at most 8)");
}

TEST_F(Safetensors, AFileThatIsBeingReadCanBeReplaced) {
  write_safetensors(path("a"), std::vector<NamedTensor>{{"x", counting<float>({4})}});
  const Tensor old = read_safetensors(map_file(path("a")))[0].tensor;
  write_safetensors(path("a"), std::vector<NamedTensor>{{"x", Tensor::zeros({4})}});
  EXPECT_EQ(old.to_vector<float>()[3], 3);
  EXPECT_EQ(read_safetensors(map_file(path("a")))[0].tensor.to_vector<float>()[3], 0);
}

TEST_F(Safetensors, AnUndefinedTensorIsNamedAndNothingWritten) {
  try {
    write_safetensors(path("a"), std::vector<NamedTensor>{{"x", Tensor::zeros({1})}, {"y", {}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), "cannot write '" + path("a") + "': tensor 'y' is undefined");
  }
  EXPECT_FALSE(fs::exists(path("a")));
}

TEST_F(Safetensors, AnUnwritableFolderIsNamed) {
  try {
    write_safetensors(path("nowhere/a"), every_dtype());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("nowhere/a"), std::string::npos);
  }
}

}  // namespace
}  // namespace gestalt
