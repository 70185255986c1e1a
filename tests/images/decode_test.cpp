#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "data/image.h"
#include "kernels/error.h"
#include "tests/error_of.h"
#include "tests/images/fixtures.h"

namespace gestalt::data {
namespace {

TEST(DecodeImage, GivesPillowsBytes) {
  std::ifstream list(fixture("decode.txt"));
  std::string name;
  int height, width, count = 0;
  while (list >> name >> height >> width) {
    SCOPED_TRACE(name);
    ++count;
    const Image image = decode_image(fixture(name));
    EXPECT_EQ(image.height, height);
    EXPECT_EQ(image.width, width);
    ASSERT_EQ(image.channels, 3);
    const auto expected = read_bytes(fixture(name + ".rgb"));
    ASSERT_EQ(image.pixels.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(image.pixels[i], expected[i])
          << "at row " << i / 3 / width << ", column " << i / 3 % width << ", channel " << i % 3;
    }
  }
  EXPECT_GE(count, 50);
}

std::string decoding_error(const std::filesystem::path& path) {
  return tests::error_of([&] { decode_image(path); });
}

TEST(DecodeImage, ErrorsNameFileAndReason) {
  std::ifstream list(fixture("errors.txt"));
  std::string name, reason;
  int count = 0;
  while (list >> name && std::getline(list >> std::ws, reason)) {
    ++count;
    const std::string message = decoding_error(fixture(name));
    EXPECT_NE(message.find(reason), std::string::npos) << name << ": " << message;
    EXPECT_NE(message.find(fixture(name).string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_GE(count, 15);
  EXPECT_NE(decoding_error(fixture("missing.png")).find("no such file"), std::string::npos);
  EXPECT_NE(decoding_error(fixture("")).find("it is a folder"), std::string::npos);
}

// Every prefix and every flipped byte of every fixture either decodes or is a gestalt::Error.
TEST(DecodeImage, DamagedFilesNeverCrash) {
  std::ifstream list(fixture("decode.txt"));
  std::string name;
  int height, width, count = 0;
  while (list >> name >> height >> width) {
    SCOPED_TRACE(name);
    ++count;
    const auto bytes = read_bytes(fixture(name));
    const auto try_to_decode = [&](std::span<const uint8_t> damaged) {
      try {
        decode_image(damaged, name, 100000);
      } catch (const Error&) {
      }
    };
    const size_t step = 1 + bytes.size() / 150;
    for (size_t size = 0; size < bytes.size(); size += step) {
      try_to_decode(std::span(bytes).first(size));
    }
    for (size_t i = 0; i < bytes.size(); i += step) {
      auto damaged = bytes;
      damaged[i] ^= static_cast<uint8_t>(1 << i % 8);
      try_to_decode(damaged);
    }
  }
  EXPECT_GE(count, 50);
}

}  // namespace
}  // namespace gestalt::data
