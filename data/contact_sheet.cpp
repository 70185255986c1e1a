#include "data/contact_sheet.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "data/resample.h"
#include "kernels/error.h"

namespace gestalt::data {
namespace {

constexpr int margin = 24;  // around the sheet
constexpr int gap = 14;     // between pictures
constexpr int row_caption_width = 150;
constexpr int supersampling = 4;  // text is drawn this much larger and averaged down
constexpr uint8_t frame_grey = 214;

struct Font {
  int face;
  double scale;
  double stroke;  // pixels
  int line_height;
};
constexpr Font title_font{cv::FONT_HERSHEY_DUPLEX, 0.78, 1.25, 30};
constexpr Font caption_font{cv::FONT_HERSHEY_SIMPLEX, 0.55, 1.2, 22};

int text_width(const std::string& text, const Font& font) {
  int baseline = 0;
  return cv::getTextSize(text, font.face, font.scale, 1, &baseline).width;
}

std::string to_ascii(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      result += byte >= ' ' || c == '\n' ? c : ' ';
    } else if (byte >= 0xc0) {  // the first byte of a UTF-8 letter
      result += '?';
    }
  }
  return result;
}

std::string shorten(const std::string& word, const Font& font, int width) {
  std::string result = word;
  for (size_t kept = word.size(); kept > 1 && text_width(result, font) > width; --kept) {
    result = word.substr(0, (kept + 1) / 2) + ".." + word.substr(word.size() - kept / 2);
  }
  return result;
}

std::vector<std::string> break_lines(const std::string& text, const Font& font, int width) {
  std::vector<std::string> lines;
  std::string line, word;
  const auto end_line = [&] {
    if (!line.empty()) lines.push_back(line);
    line.clear();
  };
  const auto end_word = [&] {
    if (word.empty()) return;
    word = shorten(word, font, width);
    if (!line.empty() && text_width(line + " " + word, font) > width) end_line();
    line += (line.empty() ? "" : " ") + word;
    word.clear();
  };
  for (const char c : to_ascii(text)) {
    if (c != ' ' && c != '\n') {
      word += c;
      continue;
    }
    end_word();
    if (c == '\n') end_line();
  }
  end_word();
  end_line();
  return lines;
}

enum class Align { left, center, right };

// Lines of text in a box whose top left corner is (x, y), `width` pixels wide.
void draw_lines(cv::Mat& sheet, const std::vector<std::string>& lines, const Font& font, int x,
                int y, int width, Align align) {
  for (const std::string& line : lines) {
    const int used = text_width(line, font);
    const int offset = align == Align::left    ? 0
                       : align == Align::right ? width - used
                                               : (width - used) / 2;
    const cv::Rect area =
        cv::Rect(x + offset - 4, y, used + 8, font.line_height) & cv::Rect({0, 0}, sheet.size());
    cv::Mat large(area.height * supersampling, area.width * supersampling, CV_8U, cv::Scalar(255));
    const cv::Point origin((x + offset - area.x) * supersampling,
                           static_cast<int>(font.line_height * 0.74) * supersampling);
    cv::putText(large, line, origin, font.face, font.scale * supersampling, cv::Scalar(20),
                static_cast<int>(font.stroke * supersampling), cv::LINE_AA);
    cv::Mat small, colored;
    cv::resize(large, small, area.size(), 0, 0, cv::INTER_AREA);
    cv::cvtColor(small, colored, cv::COLOR_GRAY2RGB);
    colored.copyTo(sheet(area));
    y += font.line_height;
  }
}

int height_of(const std::vector<std::string>& lines, const Font& font) {
  return static_cast<int>(lines.size()) * font.line_height;
}

// The size of the picture in its cell.
cv::Size fitted(const Image& image, int cell_size) {
  const double scale = static_cast<double>(cell_size) / std::max(image.width, image.height);
  return {std::max(static_cast<int>(image.width * scale + 0.5), 1),
          std::max(static_cast<int>(image.height * scale + 0.5), 1)};
}

bool is_blank(const Image& image) {
  return image.width == 0 || image.height == 0;
}

void draw_picture(cv::Mat& sheet, const Image& image, const cv::Rect& cell, int cell_size) {
  Image picture = fit_cell(image, cell_size);
  const cv::Size size(picture.width, picture.height);
  const cv::Rect area(
      {cell.x + (cell.width - size.width) / 2, cell.y + (cell.height - size.height) / 2}, size);
  const cv::Mat pixels(size, image.channels == 3 ? CV_8UC3 : CV_8UC1, picture.pixels.data());
  cv::Mat target = sheet(area);
  if (image.channels == 3) {
    pixels.copyTo(target);
  } else {
    cv::cvtColor(pixels, target, cv::COLOR_GRAY2RGB);
  }
  // A thin frame, so that white pictures have an edge.
  cv::rectangle(sheet, area + cv::Size(2, 2) - cv::Point(1, 1), cv::Scalar::all(frame_grey), 1);
}

size_t columns_of(const ContactSheet& sheet) {
  size_t columns = 0;
  for (const auto& row : sheet.cells) columns = std::max(columns, row.size());
  return columns;
}

void check(const ContactSheet& sheet) {
  const size_t rows = sheet.cells.size(), columns = columns_of(sheet);
  GESTALT_CHECK(columns > 0, "[contact_sheet] there are no pictures");
  GESTALT_CHECK(sheet.cell_size >= 16, "[contact_sheet] cells must be at least 16 pixels, got {}",
                sheet.cell_size);
  GESTALT_CHECK(sheet.columns.empty() || sheet.columns.size() == columns,
                "[contact_sheet] {} column captions for {} columns", sheet.columns.size(), columns);
  GESTALT_CHECK(sheet.rows.empty() || sheet.rows.size() == rows,
                "[contact_sheet] {} row captions for {} rows", sheet.rows.size(), rows);
}

// Where everything stands, from top to bottom: title, captions of the columns, rows.
struct Layout {
  explicit Layout(const ContactSheet& sheet) : cell_size(sheet.cell_size) {
    left = margin + (sheet.rows.empty() ? 0 : row_caption_width + gap);
    width = left + static_cast<int>(columns_of(sheet)) * (cell_size + gap) - gap + margin;
    title = break_lines(sheet.title, title_font, title_width());
    int caption_height = 0;
    for (const std::string& caption : sheet.columns) {
      column_lines.push_back(break_lines(caption, caption_font, cell_size));
      caption_height = std::max(caption_height, height_of(column_lines.back(), caption_font));
    }
    for (const std::string& caption : sheet.rows) {
      row_lines.push_back(break_lines(caption, caption_font, row_caption_width));
    }
    const int captions_top = margin + height_of(title, title_font) + (title.empty() ? 0 : gap);
    captions_bottom = captions_top + caption_height;
    height = captions_bottom + (caption_height > 0 ? 6 : 0);
    for (size_t row = 0; row < sheet.cells.size(); ++row) {
      int tallest = row_lines.empty() ? 1 : height_of(row_lines[row], caption_font);
      for (const Image& image : sheet.cells[row]) {
        if (!is_blank(image)) tallest = std::max(tallest, fitted(image, cell_size).height);
      }
      rows.emplace_back(height, height + tallest);
      height += tallest + gap;
    }
    height += margin - gap;
  }

  int title_width() const { return width - 2 * margin; }
  int column(size_t index) const { return left + static_cast<int>(index) * (cell_size + gap); }

  int cell_size;
  int left = 0, width = 0, height = 0;  // left: of the first column
  int captions_bottom = 0;              // of the columns
  std::vector<std::string> title;
  std::vector<std::vector<std::string>> column_lines, row_lines;  // none without captions
  std::vector<cv::Range> rows;                                    // from top to bottom
};

}  // namespace

Image fit_cell(const Image& image, int cell_size) {
  if (is_blank(image)) return image;
  const cv::Size size = fitted(image, cell_size);
  return resize(image, size.height, size.width, Filter::lanczos);
}

Image draw_contact_sheet(const ContactSheet& sheet) {
  check(sheet);
  const Layout layout(sheet);
  const int size = layout.cell_size;
  Image result(layout.height, layout.width);
  cv::Mat canvas(layout.height, layout.width, CV_8UC3, result.pixels.data());
  canvas.setTo(cv::Scalar::all(255));
  draw_lines(canvas, layout.title, title_font, margin, margin, layout.title_width(), Align::left);
  for (size_t column = 0; column < layout.column_lines.size(); ++column) {
    const auto& lines = layout.column_lines[column];
    draw_lines(canvas, lines, caption_font, layout.column(column),
               layout.captions_bottom - height_of(lines, caption_font), size, Align::center);
  }
  for (size_t row = 0; row < layout.rows.size(); ++row) {
    const cv::Range span = layout.rows[row];
    if (!layout.row_lines.empty()) {
      const auto& lines = layout.row_lines[row];
      draw_lines(canvas, lines, caption_font, margin,
                 (span.start + span.end - height_of(lines, caption_font)) / 2, row_caption_width,
                 Align::right);
    }
    for (size_t column = 0; column < sheet.cells[row].size(); ++column) {
      const Image& image = sheet.cells[row][column];
      if (is_blank(image)) continue;
      draw_picture(canvas, image, {layout.column(column), span.start, size, span.size()}, size);
    }
  }
  return result;
}

}  // namespace gestalt::data
