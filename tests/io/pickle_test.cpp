#include "tensor/io/pickle.h"

#include <cstring>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tensor/io/torch_names.h"
#include "tests/source_folder.h"

namespace gestalt::pickle {
namespace {

Value no_storage(Arena&, const Value&) {
  throw Error("no storages here");
}

Value read(const Bytes& bytes, Arena& arena) {
  Cursor cursor(bytes);
  TorchNames names(no_storage);
  return unpickle(cursor, arena, names);
}

Bytes bytes_of(std::string_view text) {
  std::byte* memory;
  Bytes bytes = allocate_bytes(text.size(), memory);
  std::memcpy(memory, text.data(), text.size());
  return bytes;
}

std::vector<int64_t> integers(const Value& list) {
  std::vector<int64_t> out;
  for (const Value& item : list.items()) out.push_back(item.as_integer());
  return out;
}

TEST(Pickle, EveryProtocolGivesTheSameValues) {
  for (int protocol = 0; protocol <= 5; ++protocol) {
    SCOPED_TRACE(protocol);
    const Bytes file = map_file(tests::source_folder() / "tests/fixtures/checkpoints" /
                                ("values.p" + std::to_string(protocol) + ".pkl"));
    Arena arena(file.size);
    const Value root = read(file, arena);
    EXPECT_EQ(integers(*root.find("int")),
              (std::vector<int64_t>{0, 1, -1, 255, 256, 65536, -(int64_t{1} << 31),
                                    int64_t{1} << 40, INT64_MIN}));
    EXPECT_EQ(root.find("float")->items()[0].real, 0.5);
    EXPECT_EQ(root.find("float")->items()[1].real, -1e300);
    EXPECT_TRUE(root.find("none")->is(Kind::none));
    const std::vector<Value>& booleans = root.find("bool")->items();
    EXPECT_TRUE(booleans[0].is(Kind::boolean) && booleans[0].boolean);
    EXPECT_TRUE(booleans[1].is(Kind::boolean) && !booleans[1].boolean);
    EXPECT_EQ(root.find("text")->as_text(), "a'b\"c\\ \u00fc\u20ac\U0001f600\n");
    EXPECT_EQ(root.find("bytes")->as_bytes().text(), std::string_view("\0\xff", 2));
    EXPECT_TRUE(root.find("set")->is(Kind::set));
    EXPECT_EQ(integers(*root.find("set")), std::vector<int64_t>{7});
    for (const Value& empty : root.find("empty")->items()) {
      EXPECT_TRUE(empty.is(Kind::dict) ? empty.entries().empty() : empty.items().empty());
    }
    const std::vector<Value>& shared = root.find("shared")->items();
    EXPECT_EQ(shared[0].node, shared[1].node);
    EXPECT_EQ(root.find("dict")->find("x")->as_integer(), 1);
    EXPECT_EQ(integers(*root.find("three")), (std::vector<int64_t>{1, 2, 3}));
  }
}

TEST(Pickle, MalformedStreamsAreErrors) {
  using namespace std::string_literals;
  for (const std::string& text : {""s,           "."s,
                                  "\x80\x09N."s, "("s,
                                  "e."s,         "]e."s,
                                  "NNs."s,       "}(Nu."s,
                                  "h\x05."s,     "K\x01K\x02R."s,
                                  "K\x01\x62."s, "Nb."s,
                                  "S'abc\n."s,   "Inot\n."s,
                                  "F1.5x\n."s,   "\x82\x01."s,
                                  "\x97."s,      "q\x01."s,
                                  "((0100."s,    "V\\u12\n."s,
                                  "]]Q."s,       "(X\x07\0\0\0storagetQ."s,
                                  "\xff."s}) {
    const Bytes bytes = bytes_of(text);
    Arena arena(bytes.size);
    EXPECT_THROW(read(bytes, arena), Error) << testing::PrintToString(text);
  }
}

TEST(Pickle, AValueOfTheWrongKindIsAnError) {
  const Bytes bytes = bytes_of("].");
  Arena arena(bytes.size);
  const Value list = read(bytes, arena);
  EXPECT_THROW(list.as_integer(), Error);
  EXPECT_THROW(list.as_text(), Error);
  EXPECT_THROW(list.as_bytes(), Error);
  EXPECT_THROW(list.entries(), Error);
  EXPECT_THROW(list.as_tensor(), Error);
  EXPECT_THROW(list.as_storage(), Error);
}

}  // namespace
}  // namespace gestalt::pickle
