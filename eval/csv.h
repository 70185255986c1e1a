#pragma once

// Comma-separated values (RFC 4180): quoted fields with commas, quotes and newlines in them; lines
// that end in LF or CRLF; a byte-order mark is passed over, and so are empty lines.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gestalt::eval {

struct CsvRow {
  int64_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
};

// Throws Error ("line 3: ...") for a quote that is never closed or text after a closing quote.
std::vector<CsvRow> parse_csv(std::string_view text);

// In quotes where it has to be.
std::string csv_field(std::string_view text);

}  // namespace gestalt::eval
