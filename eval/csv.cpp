#include "eval/csv.h"

#include "kernels/error.h"

namespace gestalt::eval {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text_.starts_with(byte_order_mark)) text_.remove_prefix(byte_order_mark.size());
  }

  std::vector<CsvRow> rows() {
    std::vector<CsvRow> rows;
    while (position_ < text_.size()) {
      if (end_of_line()) continue;
      rows.push_back(row());
    }
    return rows;
  }

 private:
  bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }

  // Passes over LF or CRLF, if one is here.
  bool end_of_line() {
    const std::string_view rest = text_.substr(position_);
    if (!rest.starts_with('\n') && !rest.starts_with("\r\n")) return false;
    position_ += rest[0] == '\r' ? 2 : 1;
    ++line_;
    return true;
  }

  CsvRow row() {
    CsvRow row{line_, {}};
    while (true) {
      row.fields.push_back(at('"') ? quoted() : plain());
      if (position_ == text_.size() || end_of_line()) return row;
      GESTALT_CHECK(at(','), "line {}: text after a closing quote", line_);
      ++position_;
    }
  }

  std::string plain() {
    size_t end = text_.find_first_of(",\n", position_);
    if (end == std::string_view::npos) end = text_.size();
    const size_t begin = position_;
    if (end < text_.size() && text_[end] == '\n' && end > begin && text_[end - 1] == '\r') --end;
    position_ = end;
    return std::string(text_.substr(begin, end - begin));
  }

  std::string quoted() {
    const int64_t first_line = line_;
    std::string field;
    for (++position_; position_ < text_.size(); ++position_) {
      if (at('"')) {
        ++position_;
        if (!at('"')) return field;
      }
      if (at('\n')) ++line_;
      field += text_[position_];
    }
    throw Error(format("line {}: a quote that is never closed", first_line));
  }

  std::string_view text_;
  size_t position_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text) {
  return Parser(text).rows();
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace gestalt::eval
