#pragma once

// Telling the user of files that a folder of images holds besides.

#include <string>
#include <vector>

#include "data/image_source.h"

namespace gestalt::tools {

// A line for each folder of the sources, null ones left out, with files that look like images and
// are of no kind that is read: counts them and names the first. Sources of one folder, such as the
// parts of a split, have one line.
std::vector<std::string> passed_over(const std::vector<const data::ImageSource*>& sources);

// Those lines to stderr, of a tool without a log.
void print_passed_over(const std::vector<const data::ImageSource*>& sources);

}  // namespace gestalt::tools
