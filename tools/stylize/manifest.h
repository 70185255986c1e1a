#pragma once

// manifest.csv of an output folder: what each picture was made of. What it lists with the same
// ingredients is done and is not made again.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace gestalt::tools {

struct ManifestEntry {
  std::string content, style;  // several styles: "a*0.7+b*0.3"
  std::string alpha;           // as text, so that equal means equal
  uint64_t seed = 0;
  std::string options;  // sizes, crop, colours, encoder, decoder: what else a picture depends on
  bool operator==(const ManifestEntry&) const = default;
};

class Manifest {
 public:
  // Reads FOLDER/manifest.csv where there is one. Throws Error with the path and the line.
  explicit Manifest(const std::filesystem::path& folder);

  // Listed just so, and the file is there.
  bool is_done(const std::string& output, const ManifestEntry& entry) const;
  void add(const std::string& output, const ManifestEntry& entry);
  void save();  // whole or not at all

 private:
  std::filesystem::path folder_, path_;
  std::map<std::string, ManifestEntry> entries_;  // by output
};

}  // namespace gestalt::tools
