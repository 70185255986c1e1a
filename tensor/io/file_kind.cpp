#include "tensor/io/file_kind.h"

#include <algorithm>
#include <cctype>

#include "kernels/error.h"
#include "tensor/io/file_content.h"
#include "tensor/io/safetensors.h"

namespace gestalt {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view start;
  const char* name;
};

constexpr Signature others[] = {
    {"\x89HDF\r\n"sv, "an HDF5 file"},
    {"\x93NUMPY"sv, "a NumPy array"},
    {"\x1f\x8b"sv, "gzip-compressed: unpack it first"},
    {"7z\xbc\xaf"sv, "a 7-Zip archive: unpack it first"},
    {"\xfd"
     "7zXZ"sv,
     "xz-compressed: unpack it first"},
    {"\x28\xb5\x2f\xfd"sv, "zstd-compressed: unpack it first"},
    {"GGUF"sv, "a GGUF file"},
    {"\x89PNG"sv, "a PNG image"},
    {"\xff\xd8\xff"sv, "a JPEG image"},
    {"%PDF"sv, "a PDF"},
};

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() &&
         std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) {
           return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
         });
}

bool is_text(std::string_view sample) {
  return std::all_of(sample.begin(), sample.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

// A pickle of protocol 0 or 1 has no header; those that matter start with one of these.
bool may_be_old_pickle(std::string_view head) {
  return head.starts_with("(") || head.starts_with("]") || head.starts_with("}") ||
         head.starts_with("ccollections\n") || head.starts_with("ctorch");
}

}  // namespace

bool is_zip(const Bytes& bytes) {
  const std::string_view text = bytes.text();
  return text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06");
}

FileKind kind_of_file(const Bytes& bytes) {
  const std::string_view text = bytes.text();
  check_has_content(text);
  if (is_zip(bytes)) return FileKind::zip;
  if (is_safetensors(bytes)) return FileKind::safetensors;
  if (text.starts_with('\x80')) return FileKind::pickle;

  constexpr size_t tar_magic = 257;
  GESTALT_CHECK(text.size() < tar_magic + 5 || text.substr(tar_magic, 5) != "ustar",
                "a tar archive, PyTorch's oldest format, which is not read: save it again with "
                "PyTorch 1.0 or newer");
  std::string_view trimmed = text.substr(0, 4096);
  if (trimmed.starts_with("\xef\xbb\xbf")) trimmed.remove_prefix(3);
  trimmed.remove_prefix(std::min(trimmed.find_first_not_of(" \t\r\n"), trimmed.size()));
  for (const std::string_view start : {"<!doctype", "<html", "<head", "<?xml"}) {
    GESTALT_CHECK(!starts_with_ignoring_case(trimmed, start),
                  "not a checkpoint but a web page (HTML): the download went wrong");
  }
  for (const Signature& other : others) {
    GESTALT_CHECK(!text.starts_with(other.start), "not a checkpoint but {}", other.name);
  }
  if (may_be_old_pickle(text)) return FileKind::pickle;
  GESTALT_CHECK(!is_text(trimmed), "not a checkpoint but a text file");
  throw Error("not a checkpoint: neither safetensors nor PyTorch (or its beginning is damaged)");
}

}  // namespace gestalt
