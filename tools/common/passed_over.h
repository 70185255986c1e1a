#pragma once

// Telling the user of files that a folder of images holds besides.

#include <optional>
#include <string>

#include "data/image_source.h"

namespace gestalt::tools {

// One line that counts the files of the source's folder that look like images and are of no kind
// that is read, and names the first; nothing where there are none.
std::optional<std::string> passed_over(const data::ImageSource& source);

// That line to stderr, of a tool without a log.
void print_passed_over(const data::ImageSource& source);

}  // namespace gestalt::tools
