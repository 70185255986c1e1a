#include "tensor/io/npy.h"

#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

#include "tensor/io/atomic_file.h"
#include "tensor/ops/shape.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"
#include "tests/temporary_folder.h"

namespace gestalt {
namespace {

namespace fs = std::filesystem;
using tests::error_of;

using namespace std::string_literals;

const std::vector<double> counting = {0, 1, 2, 3, 4, 5};

std::string fixture(const std::string& name) {
  return (tests::source_folder() / "tests/fixtures/npy" / (name + ".npy")).string();
}

Bytes bytes_of(std::string_view text) {
  std::byte* memory;
  Bytes bytes = allocate_bytes(text.size(), memory);
  std::memcpy(memory, text.data(), text.size());
  return bytes;
}

// Of version 1.0, with 24 bytes of data.
Bytes with_header(const std::string& header) {
  return bytes_of("\x93NUMPY\x01\x00"s + static_cast<char>(header.size()) + '\0' + header +
                  std::string(24, '\0'));
}

std::string refusal_of(const Bytes& bytes) {
  return error_of([&] { read_npy(bytes); });
}

std::string archive(const std::string& name) {
  return (tests::source_folder() / "tests/fixtures/npy" / (name + ".npz")).string();
}

class Npy : public testing::Test {
 protected:
  std::string path(const std::string& name = "a.npy") const { return (folder_ / name).string(); }

  const tests::TemporaryFolder folder_;
};

TEST_F(Npy, IsWhatNumPySaves) {
  save_npy(path(), Tensor::from_vector<double>({1.5, -2}, {2}));
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
  expected.resize(127, ' ');
  expected += '\n';
  expected += "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0"s;
  EXPECT_EQ(map_file(path()).text(), expected);
  for (const char* name : {"f4", "f8", "f2", "i8", "u1", "scalar", "empty"}) {
    save_npy(path(), load_npy(fixture(name)));
    EXPECT_EQ(map_file(path()).text(), map_file(fixture(name)).text()) << name;
  }
}

TEST_F(Npy, NumPysTypesBecomeOurs) {
  const std::pair<const char*, DType> types[] = {
      {"f4", DType::f32},      {"f8", DType::f64},       {"f2", DType::f16},
      {"i8", DType::i64},      {"u1", DType::u8},        {"i4", DType::i64},
      {"i2", DType::i64},      {"i1", DType::i64},       {"u4", DType::i64},
      {"u2", DType::i64},      {"big_f4", DType::f32},   {"big_i2", DType::i64},
      {"fortran", DType::f32}, {"version2", DType::f32}, {"version3", DType::f32}};
  for (const auto& [name, dtype] : types) {
    const Tensor read = load_npy(fixture(name));
    EXPECT_EQ(read.dtype(), dtype) << name;
    EXPECT_EQ(read.shape(), (Shape{2, 3})) << name;
    EXPECT_TRUE(read.is_contiguous()) << name;
    EXPECT_EQ(read.to_vector<double>(), counting) << name;
  }
  EXPECT_EQ(load_npy(fixture("b1")).to_vector<double>(), (std::vector<double>{1, 0, 1, 0, 1, 0}));
  EXPECT_EQ(load_npy(fixture("b1")).dtype(), DType::u8);
  EXPECT_EQ(load_npy(fixture("scalar")).shape(), Shape{});
  EXPECT_EQ(load_npy(fixture("scalar")).item(), 2.5);
  EXPECT_EQ(load_npy(fixture("empty")).shape(), (Shape{0, 3}));
}

TEST_F(Npy, TypesThatAreNotOursAreRefused) {
  const std::pair<const char*, const char*> refused[] = {
      {"u8", "elements of NumPy's type '<u8' are not supported"},
      {"c8", "elements of NumPy's type '<c8' are not supported"},
      {"text", "elements of NumPy's type '<U1' are not supported"},
      {"date", "elements of NumPy's type '<M8[D]' are not supported"},
      {"object", "an array of Python objects: they are a pickle, which is not run"},
      {"record", "an array of records with several fields, not of numbers"},
      {"nine", "the array has 9 dimensions (at most 8)"},
      {"two", "152 bytes after the array"}};
  for (const auto& [name, reason] : refused) {
    EXPECT_EQ(error_of([&] { load_npy(fixture(name)); }),
              "cannot read '" + fixture(name) + "': " + reason);
  }
}

TEST_F(Npy, RoundTrip) {
  const Tensor base = Tensor::from_vector(counting, {2, 3});
  const Tensor tensors[] = {base.to(DType::f32),
                            base.to(DType::f16),
                            base.to(DType::i64),
                            base.to(DType::u8),
                            base.as_strided({3, 2}, {1, 3}, 0),
                            Tensor::full({}, 7),
                            Tensor::zeros({0}),
                            Tensor::zeros({1, 2, 3, 1, 1, 1, 1, 2}),
                            Tensor::ones({2, 3, 2, 2}, {.format = Format::channels_last})};
  for (const Tensor& tensor : tensors) {
    save_npy(path(), tensor);
    const Tensor read = load_npy(path());
    EXPECT_EQ(read.dtype(), tensor.dtype());
    EXPECT_EQ(read.shape(), tensor.shape());
    EXPECT_EQ(read.to_vector<double>(), tensor.to_vector<double>()) << to_string(tensor);
  }
}

TEST_F(Npy, TheElementsAreAlignedAndUsedWhereTheyLie) {
  save_npy(path(), Tensor::from_vector(counting, {2, 3}));
  const Bytes file = map_file(path());
  const Tensor read = read_npy(file);
  const auto* elements = reinterpret_cast<const std::byte*>(read.view().data);
  EXPECT_EQ(elements, file.data + 128);
  // A private mapping: the file stays as it was.
  read.fill_(9);
  EXPECT_EQ(load_npy(path()).to_vector<double>(), counting);
}

TEST_F(Npy, AHeaderMayBeOfAnyOrderAndSpacing) {
  const std::string header = "{ \"shape\":(3L,2L),'fortran_order' :False , 'descr':'<f4'}";
  EXPECT_EQ(read_npy(with_header(header)).shape(), (Shape{3, 2}));
}

TEST_F(Npy, DamagedFilesAreErrors) {
  const std::string whole(map_file(fixture("f4")).text());
  for (size_t size = 1; size < whole.size(); ++size) {
    const std::string error = refusal_of(bytes_of(std::string_view(whole).substr(0, size)));
    EXPECT_TRUE(error.starts_with(size < 6 ? "not a NumPy .npy file" : "truncated")) << error;
  }
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
  EXPECT_EQ(refusal_of(with_header(good)), "");
  EXPECT_EQ(refusal_of(with_header(good + "x")), "corrupt .npy header: expected its end at 'x'");
  EXPECT_EQ(refusal_of(with_header("{'descr': '<f4', 'fortran_order': False, }")),
            "corrupt .npy header: no 'shape'");
  EXPECT_EQ(refusal_of(with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, -2), }")),
            "corrupt .npy header: expected a whole number at '-2), }'");
  EXPECT_EQ(refusal_of(with_header("{'descr': '<f4', 'fortran_order': 1, 'shape': (3, 2), }")),
            "corrupt .npy header: expected True or False at '1, 'shape': (3, 2), }'");
  EXPECT_EQ(refusal_of(with_header("{'descr': '<f4', 'descr': '<f4', }")),
            "corrupt .npy header: an entry 'descr' too many");
  EXPECT_EQ(refusal_of(with_header("{'descr: \x01\n")),
            "corrupt .npy header: expected the end of a string at 'descr: \?\?'");
  EXPECT_EQ(refusal_of(with_header("{'descr': '=f4', 'fortran_order': False, 'shape': (3, 2), }")),
            "elements of NumPy's type '=f4' are not supported");
  EXPECT_EQ(refusal_of(with_header("{'descr': '', 'fortran_order': False, 'shape': (3, 2), }")),
            "elements of NumPy's type '' are not supported");
  std::string later = whole;
  later[6] = 4;
  EXPECT_EQ(refusal_of(bytes_of(later)), ".npy of version 4.0, expected 1.0 to 3.0");
}

TEST_F(Npy, ClaimsBeyondTheFileCostNoMemory) {
  const auto claim = [&](const std::string& shape) {
    return refusal_of(
        with_header("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }"));
  };
  EXPECT_EQ(claim("(1000000000000000, 2)"),
            "truncated: 24 bytes for [1000000000000000,2] of 4 bytes each");
  for (const char* shape : {"(4611686018427387904, 4611686018427387904)", "(9223372036854775808,)",
                            "(0, 4611686018427387904, 4611686018427387904)",
                            "(4611686018427387904, 4611686018427387904, 0)"}) {
    EXPECT_EQ(claim(shape), "the array is larger than any memory") << shape;
  }
  EXPECT_EQ(claim("(99999999999999999999,)"),
            "corrupt .npy header: expected a whole number at '99999999999999999999,), }'");
  // Of version 2 a header may claim 4 GiB.
  EXPECT_TRUE(refusal_of(bytes_of("\x93NUMPY\x02\x00\xff\xff\xff\xff{"s)).starts_with("truncated"));
}

TEST_F(Npy, ArchivesHoldSeveral) {
  for (const char* name : {"stored", "deflated"}) {
    const StateDict arrays = load_npz(archive(name));
    ASSERT_EQ(arrays.size(), 2u);
    EXPECT_EQ(arrays[0].name, "mu");
    EXPECT_EQ(arrays[0].tensor.dtype(), DType::f64);
    EXPECT_EQ(arrays[0].tensor.to_vector<double>(), (std::vector<double>{0, 1, 2}));
    EXPECT_EQ(arrays[1].name, "sigma");
    EXPECT_EQ(arrays[1].tensor.shape(), (Shape{2, 3}));
    EXPECT_EQ(arrays[1].tensor.to_vector<double>(), counting);
  }
  const auto refusal = [](const std::string& path) { return error_of([&] { load_npz(path); }); };
  EXPECT_EQ(
      refusal(archive("objects")),
      "cannot read '" + archive("objects") +
          "': array 'names': an array of Python objects: they are a pickle, which is not run");
  EXPECT_NE(refusal(archive("none")), "");
  EXPECT_EQ(refusal(fixture("f4")),
            "cannot read '" + fixture("f4") + "': not a NumPy .npz archive");
  // Cut anywhere, or with a bit of an array turned, which the checksum tells.
  const std::string whole(map_file(archive("stored")).text());
  for (size_t size = 2; size < whole.size(); ++size) {
    EXPECT_NE(error_of([&] { read_npz(bytes_of(std::string_view(whole).substr(0, size))); }), "");
  }
  std::string turned = whole;
  turned[turned.find("\x93NUMPY") + 130] ^= 1;
  EXPECT_EQ(error_of([&] { read_npz(bytes_of(turned)); }), "array 'mu': entry 'mu.npy': CRC error");
}

TEST_F(Npy, ArchivesAreWritten) {
  const Tensor base = Tensor::from_vector(counting, {2, 3});
  const NamedTensor arrays[] = {{"mu", narrow(base, 1, 1, 1)},  // [2,1] of stride 3
                                {"sigma", base.to(DType::f32)},
                                {"empty", Tensor::zeros({0, 3})}};
  const std::string path = this->path("a.npz"), again = this->path("b.npz");
  save_npz(path, arrays);
  const StateDict read = load_npz(path);
  ASSERT_EQ(read.size(), std::size(arrays));
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, arrays[i].name);
    EXPECT_EQ(read[i].tensor.dtype(), arrays[i].tensor.dtype());
    EXPECT_EQ(read[i].tensor.shape(), arrays[i].tensor.shape());
    EXPECT_EQ(read[i].tensor.to_vector<double>(), arrays[i].tensor.to_vector<double>());
  }
  // An entry is the .npy file itself, as it is, and nothing tells the time.
  save_npy(this->path(), arrays[1].tensor);
  EXPECT_NE(map_file(path).text().find(map_file(this->path()).text()), std::string::npos);
  save_npz(again, arrays);
  EXPECT_EQ(map_file(again).text(), map_file(path).text());
  EXPECT_TRUE(is_npz(map_file(path)));
  for (const std::string& other : {this->path(), archive("none")}) {
    EXPECT_FALSE(is_npz(map_file(other))) << other;
  }

  const auto refusal = [&](std::span<const NamedTensor> refused) {
    return error_of([&] { save_npz(path, refused); });
  };
  const std::string start = "cannot write '" + path + "': ";
  const NamedTensor twice[] = {arrays[0], arrays[0]};
  const NamedTensor half[] = {arrays[0], {"x", Tensor::zeros({1}, {DType::bf16})}};
  EXPECT_EQ(refusal({}), start + "there are no arrays");
  EXPECT_EQ(refusal(half), start + "array 'x': NumPy has no bf16; convert it to f32");
  EXPECT_TRUE(refusal(twice).starts_with(start + "entry 'mu.npy': ")) << refusal(twice);
  EXPECT_EQ(map_file(path).text(), map_file(again).text());
}

TEST_F(Npy, WhatIsNoArrayIsNamed) {
  write_file_atomically(path("empty"), "", 0);
  EXPECT_EQ(error_of([&] { load_npy(path("empty")); }),
            "cannot read '" + path("empty") + "': the file is empty");
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\n";
  write_file_atomically(path("lfs"), pointer.data(), pointer.size());
  EXPECT_NE(error_of([&] { load_npy(path("lfs")); }).find("Git LFS pointer"), std::string::npos);
  EXPECT_EQ(error_of([&] { load_npy(path("none")); }),
            "cannot read '" + path("none") + "': no such file");
}

TEST_F(Npy, WhatCannotBeWrittenLeavesTheFileAsItWas) {
  save_npy(path(), Tensor::full({1}, 3));
  EXPECT_EQ(error_of([&] { save_npy(path(), Tensor::zeros({1}, {DType::bf16})); }),
            "cannot write '" + path() + "': NumPy has no bf16; convert it to f32");
  EXPECT_EQ(error_of([&] { save_npy(path(), {}); }),
            "cannot write '" + path() + "': the tensor is undefined");
  EXPECT_EQ(load_npy(path()).item(), 3);
  EXPECT_NE(error_of([&] { save_npy((folder_ / "no/a.npy").string(), Tensor::zeros({1})); }), "");
}

}  // namespace
}  // namespace gestalt
