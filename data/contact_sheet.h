#pragma once

// A contact sheet: pictures in rows and columns with captions, black on white.

#include <string>
#include <vector>

#include "data/image.h"

namespace gestalt::data {

struct ContactSheet {
  std::string title;                      // over everything; may be empty
  std::vector<std::string> columns;       // caption over each column; empty for none at all
  std::vector<std::string> rows;          // caption left of each row; empty for none at all
  std::vector<std::vector<Image>> cells;  // [rows][columns]; an empty Image leaves its cell blank
  int cell_size = 256;                    // pixels; the longer side of every picture is made this
};

// The picture as it is drawn in a cell; for sheets of more and larger pictures than there is memory
// for. A sheet of these has the same bytes. An empty Image stays so.
Image fit_cell(const Image& image, int cell_size);

// Captions break at spaces and newlines; a word that is still too wide is shortened in its middle.
// The drawn letters are ASCII; others show as "?".
// Error: no cells, captions that don't match the cells, or a cell size below 16.
Image draw_contact_sheet(const ContactSheet& sheet);

}  // namespace gestalt::data
