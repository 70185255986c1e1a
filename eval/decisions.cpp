#include "eval/decisions.h"

#include <algorithm>
#include <array>
#include <set>

#include "eval/csv.h"
#include "eval/text.h"
#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"

namespace gestalt::eval {
namespace {

struct Column {
  const char* name;
  std::string Decision::*member;
};

constexpr std::array<Column, 8> columns = {{
    {"subj", &Decision::subject},
    {"session", &Decision::session},
    {"trial", &Decision::trial},
    {"rt", &Decision::reaction_time},
    {"object_response", &Decision::response},
    {"category", &Decision::category},
    {"condition", &Decision::condition},
    {"imagename", &Decision::image_name},
}};

// Where each column stands in the header.
std::array<size_t, columns.size()> find_columns(const CsvRow& header) {
  std::array<size_t, columns.size()> positions{};
  std::vector<std::string> missing;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto found = std::find(header.fields.begin(), header.fields.end(), columns[i].name);
    if (found == header.fields.end()) missing.push_back(columns[i].name);
    positions[i] = static_cast<size_t>(found - header.fields.begin());
  }
  GESTALT_CHECK(missing.empty(), "missing columns: {}", join(missing, ", "));
  return positions;
}

void check(Decision& decision, const Categories& categories) {
  GESTALT_CHECK(categories.contains(decision.category), "unknown category '{}'", decision.category);
  GESTALT_CHECK(decision.response == no_response || categories.contains(decision.response),
                "unknown response '{}'", decision.response);
  decision.stimulus = parse_stimulus(decision.image_name, categories);
  GESTALT_CHECK(decision.stimulus.shape == decision.category,
                "category '{}', but the shape of '{}' is '{}'", decision.category,
                decision.image_name, decision.stimulus.shape);
}

std::vector<Decision> parse(std::string_view text, const Categories& categories) {
  const std::vector<CsvRow> rows = parse_csv(text);
  GESTALT_CHECK(!rows.empty(), "the file is empty");
  const auto positions = find_columns(rows.front());
  GESTALT_CHECK(rows.size() > 1, "there are no decisions below the header");

  std::vector<Decision> decisions;
  std::set<std::pair<std::string, std::string>> seen;  // subject and stimulus
  for (size_t row = 1; row < rows.size(); ++row) {
    try {
      const std::vector<std::string>& fields = rows[row].fields;
      GESTALT_CHECK(fields.size() == rows.front().fields.size(), "{} fields, the header has {}",
                    fields.size(), rows.front().fields.size());
      Decision& decision = decisions.emplace_back();
      for (size_t i = 0; i < columns.size(); ++i) {
        decision.*columns[i].member = fields[positions[i]];
      }
      check(decision, categories);
      GESTALT_CHECK(seen.emplace(decision.subject, decision.stimulus.name).second,
                    "stimulus '{}' for the second time", decision.stimulus.name);
    } catch (const Error& error) {
      throw Error(format("line {}: {}", rows[row].line, error.what()));
    }
  }
  return decisions;
}

}  // namespace

std::vector<Decision> read_decisions(const std::filesystem::path& path,
                                     const Categories& categories) {
  try {
    return parse(map_file(path.string()).text(), categories);
  } catch (const Error& error) {
    throw Error(format("cannot read '{}': {}", path.string(), error.what()));
  }
}

void write_decisions(const std::filesystem::path& path, const std::vector<Decision>& decisions) {
  constexpr const char* line_end = "\r\n";
  std::vector<std::string> fields;
  for (const Column& column : columns) fields.push_back(column.name);
  std::string text = join(fields, ",") + line_end;
  for (const Decision& decision : decisions) {
    for (size_t i = 0; i < columns.size(); ++i) {
      fields[i] = csv_field(decision.*columns[i].member);
    }
    text += join(fields, ",") + line_end;
  }
  write_file_atomically(path.string(), text.data(), text.size());
}

}  // namespace gestalt::eval
