#pragma once

// What a decoder makes of a few fixed contents and styles, as one picture.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "nn/sequential.h"

namespace gestalt::tools {

class Samples {
 public:
  // Takes up to four readable pictures of each set, from all over it; the square in the middle, as
  // training sees it. Throws Error where a set has none.
  Samples(const data::ImageSource& contents, const data::ImageSource& styles, int image_size,
          int crop_size);

  // Contents on the left, styles on top, each content in each style (alpha 1) between them.
  void save(const std::filesystem::path& path, const std::string& title,
            const std::shared_ptr<nn::Sequential>& encoder,
            const std::shared_ptr<nn::Sequential>& decoder) const;

 private:
  std::vector<data::Image> contents_, styles_;
};

}  // namespace gestalt::tools
