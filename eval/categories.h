#pragma once

// The categories that observers choose from, and the network classes that make up each.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gestalt::eval {

struct Category {
  std::string name;
  std::vector<int64_t> classes;  // indices into the network's logits
};

class Categories {
 public:
  // Sorted by name here. Throws Error for none, an empty or doubled name, a category without
  // classes, or a negative class.
  explicit Categories(std::vector<Category> categories);

  const std::vector<Category>& all() const { return categories_; }  // alphabetical
  size_t size() const { return categories_.size(); }
  const std::string& name(size_t index) const { return categories_[index].name; }
  bool contains(std::string_view name) const;
  size_t index_of(std::string_view name) const;  // throws Error where there is none

 private:
  std::vector<Category> categories_;
};

// The 16 entry-level categories of MS COCO and the ILSVRC2012 classes below each in WordNet
// (Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards texture").
const Categories& sixteen_categories();

// {"airplane": [404], "bear": [294, 295, 296, 297], ...}. Errors name the file.
Categories read_categories(const std::filesystem::path& path);

}  // namespace gestalt::eval
