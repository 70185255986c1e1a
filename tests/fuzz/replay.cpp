// Runs a fuzz target over files, whole and damaged, without libFuzzer: a test that every compiler
// builds, so that the targets stay ones that compile and pass.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

namespace {

namespace fs = std::filesystem;

// The file, beginnings of it, and copies with one byte changed; the same ones each time.
void replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  std::vector<uint8_t> bytes(text.begin(), text.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  constexpr size_t damages = 16;
  for (size_t i = 0; i < damages; ++i) {
    // A copy of the exact size, so that the sanitizers see reads past its end.
    const std::vector<uint8_t> part(bytes.begin(), bytes.begin() + bytes.size() * i / damages);
    LLVMFuzzerTestOneInput(part.data(), part.size());
  }
  for (size_t i = 0; i < damages && !bytes.empty(); ++i) {
    // Half of them in the first bytes, where headers are.
    const size_t at = (i % 2 == 0 ? i * 5 : bytes.size() * i / damages) % bytes.size();
    bytes[at] ^= static_cast<uint8_t>(1u << i % 8);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    bytes[at] ^= static_cast<uint8_t>(1u << i % 8);
  }
}

}  // namespace

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++files;
    }
  }
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 1;
}
