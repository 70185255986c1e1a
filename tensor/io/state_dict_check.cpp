#include "tensor/io/state_dict_check.h"

#include <algorithm>
#include <map>
#include <set>

#include "kernels/error.h"

namespace gestalt {

StateDictReport compare_state_dicts(std::span<const ExpectedTensor> expected,
                                    std::span<const NamedTensor> actual) {
  std::map<std::string_view, const Tensor*> given;
  for (const NamedTensor& entry : actual) given[entry.name] = &entry.tensor;
  StateDictReport report;
  std::set<std::string_view> wanted;
  for (const ExpectedTensor& entry : expected) {
    wanted.insert(entry.name);
    const auto found = given.find(entry.name);
    if (found == given.end()) {
      report.missing.push_back(entry.name);
    } else if (found->second->shape() != entry.shape) {
      report.mismatched.push_back(
          {entry.name, to_string(entry.shape), to_string(found->second->shape())});
    }
  }
  for (const NamedTensor& entry : actual) {
    if (!wanted.contains(entry.name)) report.unexpected.push_back(entry.name);
  }
  return report;
}

std::string to_string(const StateDictReport& report, size_t most) {
  std::string text;
  const auto section = [&](const char* title, size_t count, const auto& line) {
    if (count == 0) return;
    text += format("\n  {} ({}):", title, count);
    for (size_t i = 0; i < std::min(count, most); ++i) text += "\n    " + line(i);
    if (count > most) text += format("\n    ... and {} more", count - most);
  };
  section("missing", report.missing.size(), [&](size_t i) { return report.missing[i]; });
  section("unexpected", report.unexpected.size(), [&](size_t i) { return report.unexpected[i]; });
  section("mismatched", report.mismatched.size(), [&](size_t i) {
    const StateDictReport::Mismatch& entry = report.mismatched[i];
    return format("{}: expected {}, found {}", entry.name, entry.expected, entry.found);
  });
  return text;
}

}  // namespace gestalt
