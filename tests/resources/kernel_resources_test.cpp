// The compiler's resource report of every kernel against the table kernel_resources.txt: a change
// of registers, shared or local memory is seen, and local memory has a written reason.
//
// With GESTALT_UPDATE_RESOURCES=1 the table is written anew; reasons stay where their kernels stay.
// Another version of the compiler takes other registers and other memory: nothing is compared.

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

struct Use {
  int registers = 0, shared = 0, local = 0;
  auto operator<=>(const Use&) const = default;
};

struct Row {
  std::map<int, Use> by_architecture;
  std::string reason;  // of its local memory
};

struct Table {
  std::string compiler;
  std::map<std::string, Row> rows;  // by kernel
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
  }
}

// The kernel's name with its template arguments, without its parameters.
std::string kernel_name(const std::string& mangled) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : mangled;
  std::free(demangled);
  replace_all(name, "gestalt::cuda::", "");
  replace_all(name, "gestalt::", "");
  replace_all(name, "(anonymous namespace)::", "");
  if (name.starts_with("void ")) name.erase(0, 5);
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<';
    depth -= name[i] == '>' && name[i - 1] != '-';
    if (depth == 0 && name[i] == '(') return name.substr(0, i);
  }
  return name;
}

void read_report(const fs::path& path, Table& table) {
  static const std::regex entry("Compiling entry function '([^']+)' for 'sm_([0-9]+)'");
  static const std::regex stack("([0-9]+) bytes stack frame");
  static const std::regex used("Used ([0-9]+) registers");
  static const std::regex shared("([0-9]+) bytes smem");
  std::ifstream file(path);
  Use* use = nullptr;
  int local = 0;
  std::smatch match;
  for (std::string line; std::getline(file, line);) {
    if (std::regex_search(line, match, entry)) {
      use = &table.rows[kernel_name(match[1])].by_architecture[std::stoi(match[2])];
    } else if (std::regex_search(line, match, stack)) {
      local = std::stoi(match[1]);
    } else if (use != nullptr && std::regex_search(line, match, used)) {
      use->registers = std::stoi(match[1]);
      use->local = local;
      if (std::regex_search(line, match, shared)) use->shared = std::stoi(match[1]);
      use = nullptr;
    }
  }
}

Table reported() {
  Table table;
  table.compiler = GESTALT_CUDA_COMPILER;
  std::istringstream paths(GESTALT_RESOURCE_REPORTS);
  for (std::string path; std::getline(paths, path, ':');) read_report(path, table);
  return table;
}

constexpr const char* header =
    "# Registers, static shared memory and local memory (bytes of a thread: registers that were\n"
    "# spilled, arrays that did not become registers) of each kernel, for each architecture, as "
    "the\n"
    "# compiler reports them. Shared memory is dynamic (0 here): the launchers sum it. A kernel "
    "with\n"
    "# local memory has its reason after '!'.\n"
    "# Written by: GESTALT_UPDATE_RESOURCES=1 build/release/bin/test_resources\n";

std::string to_text(const Use& use) {
  std::ostringstream text;
  text << use.registers << '/' << use.shared << '/' << use.local;
  return text.str();
}

void write(const Table& table, const fs::path& path) {
  std::ofstream file(path);
  file << header << "compiler " << table.compiler << '\n';
  for (const auto& [name, row] : table.rows) {
    for (const auto& [architecture, use] : row.by_architecture) {
      file << "sm_" << architecture << ' ' << to_text(use) << ' ';
    }
    file << name;
    if (!row.reason.empty()) file << " ! " << row.reason;
    file << '\n';
  }
}

Table read(const fs::path& path) {
  Table table;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "compiler") {
      words >> table.compiler;
      continue;
    }
    Row row;
    while (word.starts_with("sm_")) {
      Use use;
      char slash;
      words >> use.registers >> slash >> use.shared >> slash >> use.local;
      row.by_architecture[std::stoi(word.substr(3))] = use;
      if (!(words >> word)) word.clear();
    }
    std::string rest;
    std::getline(words, rest);
    std::string name = word + rest;
    if (const size_t mark = name.find(" ! "); mark != std::string::npos) {
      row.reason = name.substr(mark + 3);
      name.resize(mark);
    }
    table.rows[name] = row;
  }
  return table;
}

TEST(KernelResources, AreThoseOfTheTable) {
  const Table got = reported();
  if (got.compiler.empty()) GTEST_SKIP() << "built without nvcc: nothing to compare";
  Table expected = read(GESTALT_KERNEL_RESOURCES);
  ASSERT_GT(got.rows.size(), 50u) << "no reports in " << GESTALT_RESOURCE_REPORTS;
  if (std::getenv("GESTALT_UPDATE_RESOURCES") != nullptr) {
    Table updated = got;
    for (auto& [name, row] : updated.rows) {
      for (const auto& [architecture, use] : row.by_architecture) {
        if (use.local != 0) row.reason = expected.rows[name].reason;
      }
    }
    write(updated, GESTALT_KERNEL_RESOURCES);
    expected = updated;
  }
  if (got.compiler != expected.compiler) {
    GTEST_SKIP() << "the table is that of nvcc " << expected.compiler << ", this build's is "
                 << got.compiler;
  }
  for (const auto& [name, row] : got.rows) {
    const auto found = expected.rows.find(name);
    const bool has_reason = found != expected.rows.end() && !found->second.reason.empty();
    for (const auto& [architecture, use] : row.by_architecture) {
      EXPECT_TRUE(use.local == 0 || has_reason)
          << name << " has " << use.local << " bytes of local memory on sm_" << architecture
          << " without a reason in the table";
    }
    if (found == expected.rows.end()) {
      ADD_FAILURE() << name << " is not in the table (GESTALT_UPDATE_RESOURCES=1 adds it)";
      continue;
    }
    for (const auto& [architecture, use] : row.by_architecture) {
      const auto before = found->second.by_architecture.find(architecture);
      ASSERT_NE(before, found->second.by_architecture.end()) << name << " on sm_" << architecture;
      EXPECT_EQ(to_text(use), to_text(before->second))
          << name << " on sm_" << architecture
          << ": registers/shared/local are not those of the table "
             "(GESTALT_UPDATE_RESOURCES=1 takes them over)";
    }
  }
  for (const auto& [name, row] : expected.rows) {
    EXPECT_TRUE(got.rows.contains(name)) << name << " of the table no longer exists";
  }
}

}  // namespace
