#include "eval/figure_text.h"

#include <algorithm>

namespace gestalt::eval {
namespace {

// Thousandths of the font size, from the space to the tilde: DejaVu Sans, which Linux has for
// "sans-serif", and about Verdana; Helvetica, Arial and most others are narrower.
constexpr int letter_widths[] = {
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361,  318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635,  611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352,  635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592,  525, 636, 337, 636, 838};
constexpr int other_letter = 1000;  // an ideograph's square
constexpr int fixed_width = 602;    // of the fonts that have one width for all

bool is_inside_letter(char c) {
  return (c & 0xC0) == 0x80;  // UTF-8
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A number stays with what it belongs to: "features.12", "Top-K 10 %".
bool may_break_between(char c, char next) {
  return (c == ' ' || c == '_' || c == '.') && next != c && next != '%' && !is_digit(next);
}

// The next place to break at, or the end.
size_t end_of_word(std::string_view text, size_t from) {
  for (size_t i = from; i + 1 < text.size(); ++i) {
    if (may_break_between(text[i], text[i + 1])) return i + 1;
  }
  return text.size();
}

std::string_view trimmed(std::string_view line) {
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

// Of a word that is wider than a line: up to a hyphen or a slash, else as many letters as fit.
size_t part_of_word(std::string_view word, double width, double font_size) {
  size_t end = 0, hyphen = 0;
  for (size_t next = 1; next <= word.size(); ++next) {
    if (next < word.size() && is_inside_letter(word[next])) continue;
    if (end > 0 && text_width(word.substr(0, next), font_size) > width) break;
    end = next;
    if (word[next - 1] == '-' || word[next - 1] == '/') hyphen = next;
  }
  return hyphen > 0 && end < word.size() ? hyphen : end;
}

void wrap_line(std::string_view text, double width, double font_size,
               std::vector<std::string>& lines) {
  size_t begin = 0, end = 0;
  while (end < text.size()) {
    const size_t next = end_of_word(text, end);
    if (text_width(trimmed(text.substr(begin, next - begin)), font_size) <= width) {
      end = next;
      continue;
    }
    if (end == begin) end += part_of_word(text.substr(begin, next - begin), width, font_size);
    lines.emplace_back(trimmed(text.substr(begin, end - begin)));
    begin = end;
  }
  if (begin < end || text.empty()) lines.emplace_back(trimmed(text.substr(begin)));
}

}  // namespace

double text_width(std::string_view text, double font_size) {
  int width = 0, letters = 0;
  for (const char c : text) {
    if (is_inside_letter(c)) continue;
    ++letters;
    const bool is_known = c >= ' ' && c <= '~';
    width += is_known ? letter_widths[c - ' '] : other_letter;
  }
  return std::max(width, fixed_width * letters) / 1000.0 * font_size / points_per_inch;
}

double line_height(double font_size) {
  return 1.5 * font_size / points_per_inch;
}

double tight_line_height(double font_size) {
  return 1.2 * font_size / points_per_inch;
}

std::vector<std::string> wrap(std::string_view text, double width, double font_size) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    wrap_line(text.substr(begin, end - begin), width, font_size, lines);
    begin = end + 1;
  }
  return lines;
}

RowLabels row_labels(const std::vector<std::string>& names, double width, double font_size) {
  constexpr double gaps = 2 * row_label_gap;
  RowLabels labels;
  for (const std::string& name : names) {
    labels.lines.push_back(wrap(name, width - gaps, font_size));
    const std::vector<std::string>& lines = labels.lines.back();
    labels.most_lines = std::max(labels.most_lines, lines.size());
    for (const std::string& line : lines) {
      labels.width = std::max(labels.width, text_width(line, font_size) + gaps);
    }
  }
  return labels;
}

double fraction_step(double axis_width, double font_size) {
  const double six_numbers = 6 * text_width("0.0 ", font_size);
  return six_numbers <= axis_width ? 0.2 : 0.5;
}

}  // namespace gestalt::eval
