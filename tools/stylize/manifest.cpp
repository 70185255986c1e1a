#include "tools/stylize/manifest.h"

#include <charconv>
#include <fstream>
#include <iterator>

#include "eval/csv.h"
#include "kernels/error.h"
#include "tools/common/output.h"

namespace gestalt::tools {
namespace {

constexpr const char* header = "output,content,style,alpha,seed,options\n";
constexpr size_t columns = 6;

}  // namespace

Manifest::Manifest(const std::filesystem::path& folder)
    : folder_(folder), path_(folder / "manifest.csv") {
  std::ifstream file(path_, std::ios::binary);
  if (!file.is_open()) return;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  GESTALT_CHECK(text.starts_with(header), "{}: line 1: expected {}", path_.string(),
                std::string(header, 0, std::string(header).size() - 1));
  for (const eval::CsvRow& row : eval::parse_csv(text)) {
    if (row.line == 1) continue;
    GESTALT_CHECK(row.fields.size() == columns, "{}: line {}: {} fields instead of {}",
                  path_.string(), row.line, row.fields.size(), columns);
    const std::string& seed = row.fields[4];
    ManifestEntry entry{row.fields[1], row.fields[2], row.fields[3], 0, row.fields[5]};
    const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), entry.seed);
    GESTALT_CHECK(error == std::errc() && end == seed.data() + seed.size(),
                  "{}: line {}: seed '{}' is not a number", path_.string(), row.line, seed);
    entries_[row.fields[0]] = entry;
  }
}

bool Manifest::is_done(const std::string& output, const ManifestEntry& entry) const {
  const auto found = entries_.find(output);
  std::error_code ignored;
  return found != entries_.end() && found->second == entry &&
         std::filesystem::exists(folder_ / output, ignored);
}

void Manifest::add(const std::string& output, const ManifestEntry& entry) {
  entries_[output] = entry;
}

void Manifest::save() {
  std::string text = header;
  for (const auto& [output, entry] : entries_) {
    text += eval::csv_field(output) + "," + eval::csv_field(entry.content) + "," +
            eval::csv_field(entry.style) + "," + entry.alpha + "," + std::to_string(entry.seed) +
            "," + eval::csv_field(entry.options) + "\n";
  }
  write_text(path_, text);
}

}  // namespace gestalt::tools
