#pragma once

// ImageSource: images by number, wherever they lie. Class folders, plain folders and packed files
// (data/packed.h) give the same interface; data/dataset.h opens them.
//
// Sources are immutable and may be read by several threads at once.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/opened_image.h"

namespace gestalt::data {

struct ImageIndex {
  std::vector<std::string> names;    // relative to the folder, "dog/056_0001.jpg"
  std::vector<std::string> classes;  // sorted bytewise; empty where the images have no labels
  std::vector<int64_t> labels;       // one an image, an index into `classes`; empty likewise. The
                                     // loader throws where they are not.

  // Files beside them that look like images and are of no kind that is read; of a part of a set,
  // those of the whole.
  std::vector<std::string> passed_over;

  int64_t size() const { return static_cast<int64_t>(names.size()); }
  bool has_labels() const { return !classes.empty(); }
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;

  const ImageIndex& index() const { return index_; }
  int64_t size() const { return index_.size(); }
  const std::string& name(int64_t i) const { return index_.names[i]; }

  // Error: unreadable, with the file and the reason.
  virtual std::unique_ptr<OpenedImage> open(int64_t i) const = 0;
  // Where the images come from, for logs and errors: the folder or the file.
  virtual std::string location() const = 0;
  // That of the pixels, where it is kept beside them: in a packed file.
  virtual std::optional<int64_t> checksum_of(int64_t) const { return std::nullopt; }

  Image read(int64_t i) const;  // the whole image

 protected:
  ImageIndex index_;
};

}  // namespace gestalt::data
