#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "data/folder.h"
#include "data/name_hash.h"
#include "data/packed.h"
#include "kernels/error.h"
#include "tensor/counted.h"

namespace gestalt::data {
namespace {

namespace fs = std::filesystem;

// An image's place in the draw by `seed`. The finalizer of SplitMix64, once between seed and name,
// so that another seed is another order, and once at the end: FNV-1a's upper bits hardly depend on
// a name's last letters.
uint64_t draw_of(const std::string& name, uint64_t seed) {
  const auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  };
  return mix(mix(seed + 0x9E3779B97F4A7C15) ^ name_hash(name));
}

class FolderSource : public ImageSource {
 public:
  FolderSource(fs::path root, ImageIndex index) : root_(std::move(root)) {
    index_ = std::move(index);
  }
  std::unique_ptr<OpenedImage> open(int64_t i) const override {
    return open_image(root_ / name(i));
  }
  std::string location() const override { return root_.empty() ? "." : root_.string(); }

 private:
  fs::path root_;
};

class Subset : public ImageSource {
 public:
  Subset(ImageSourcePtr source, const std::vector<int64_t>& indices)
      : source_(std::move(source)), indices_(indices) {
    const ImageIndex& all = source_->index();
    index_.classes = all.classes;
    index_.passed_over = all.passed_over;
    for (const int64_t i : indices) {
      GESTALT_CHECK(i >= 0 && i < all.size(), "[subset] image {} of {} does not exist", i,
                    all.size());
      index_.names.push_back(all.names[i]);
      if (all.has_labels()) index_.labels.push_back(all.labels[i]);
    }
  }
  std::unique_ptr<OpenedImage> open(int64_t i) const override { return source_->open(indices_[i]); }
  std::string location() const override { return source_->location(); }
  std::optional<int64_t> checksum_of(int64_t i) const override {
    return source_->checksum_of(indices_[i]);
  }

 private:
  ImageSourcePtr source_;
  std::vector<int64_t> indices_;
};

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

// Folders in `folder`, links to folders among them, sorted bytewise by name.
std::vector<std::string> subfolders(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator iterator(folder, error);
  for (; !error && iterator != fs::directory_iterator(); iterator.increment(error)) {
    std::error_code ignored;
    if (!is_hidden(iterator->path()) && iterator->is_directory(ignored)) {
      names.push_back(iterator->path().filename().string());
    }
  }
  GESTALT_CHECK(!error, "cannot read '{}': {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

// Whether a link leads back to a folder on its own path, from `top` on: below it come the same
// files again.
bool leads_back(const fs::path& link, const fs::path& top) {
  std::error_code ignored;
  if (!fs::is_symlink(link, ignored)) return false;
  for (fs::path above = link.parent_path();; above = above.parent_path()) {
    if (fs::equivalent(link, above, ignored)) return true;
    if (above == top || !above.has_relative_path()) return false;
  }
}

// The images below `folder`, as paths relative to `root`, in the order of (folder, name). Files of
// foreign image extensions are added to `passed_over`.
std::vector<std::string> images_below(const fs::path& root, const std::string& folder,
                                      std::vector<std::string>& passed_over) {
  std::vector<std::pair<std::string, std::string>> found;  // folder, name
  std::vector<std::string> foreign;
  std::error_code error;
  fs::recursive_directory_iterator iterator(root / folder,
                                            fs::directory_options::follow_directory_symlink, error);
  for (; !error && iterator != fs::recursive_directory_iterator(); iterator.increment(error)) {
    const fs::path& path = iterator->path();
    std::error_code ignored;
    const bool is_folder = iterator->is_directory(ignored);
    if (is_hidden(path) || (is_folder && leads_back(path, root / folder))) {
      if (is_folder) iterator.disable_recursion_pending();
    } else if (has_image_extension(path) && may_be_file(*iterator)) {
      found.emplace_back(path.parent_path().lexically_relative(root).string(),
                         path.filename().string());
    } else if (has_foreign_image_extension(path) && may_be_file(*iterator)) {
      foreign.push_back(path.lexically_relative(root).lexically_normal().string());
    }
  }
  GESTALT_CHECK(!error, "cannot read '{}': {}", (root / folder).string(), error.message());
  std::sort(found.begin(), found.end());
  std::sort(foreign.begin(), foreign.end());
  passed_over.insert(passed_over.end(), foreign.begin(), foreign.end());
  std::vector<std::string> names;
  for (const auto& [parent, name] : found) {
    names.push_back((fs::path(parent) / name).lexically_normal().string());
  }
  return names;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

// For an error where no image is found: " (2 files of a kind that is not read, such as 'a.gif')".
std::string foreign_note(const std::vector<std::string>& passed_over) {
  if (passed_over.empty()) return {};
  return format(" ({} of a kind that is not read, such as '{}')",
                counted(static_cast<int64_t>(passed_over.size()), "file"), passed_over.front());
}

}  // namespace

ImageSourcePtr open_dataset(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  GESTALT_CHECK(fs::exists(status), "cannot read '{}': no such folder", path.string());
  if (is_packed(path)) {
    ImageSourcePtr source = open_packed(path);
    GESTALT_CHECK(source->index().has_labels(), "cannot read '{}': packed without classes",
                  path.string());
    return source;
  }
  GESTALT_CHECK(fs::is_directory(status), "cannot read '{}': neither a folder nor a packed file",
                path.string());
  ImageIndex index;
  index.classes = subfolders(path);
  GESTALT_CHECK(!index.classes.empty(),
                "cannot read '{}': no class folders; images are expected as CLASS/NAME.jpg in it",
                path.string());
  std::vector<std::string> empty, foreign;  // the files of the empty ones
  for (size_t label = 0; label < index.classes.size(); ++label) {
    const size_t others = index.passed_over.size();
    const std::vector<std::string> names =
        images_below(path, index.classes[label], index.passed_over);
    if (names.empty()) {
      empty.push_back(index.classes[label]);
      foreign.insert(foreign.end(), index.passed_over.begin() + static_cast<int64_t>(others),
                     index.passed_over.end());
    }
    index.names.insert(index.names.end(), names.begin(), names.end());
    index.labels.resize(index.names.size(), static_cast<int64_t>(label));
  }
  GESTALT_CHECK(empty.empty(), "cannot read '{}': no images in the class folder{} {}{}",
                path.string(), empty.size() > 1 ? "s" : "", quoted_list(empty),
                foreign_note(foreign));
  return std::make_shared<FolderSource>(path, std::move(index));
}

ImageSourcePtr open_images(const fs::path& path) {
  if (is_packed(path)) return open_packed(path);
  ImageIndex index;
  std::vector<fs::path> foreign;
  for (const fs::path& image : list_images(path, &foreign)) {
    index.names.push_back(image.filename().string());
  }
  for (const fs::path& file : foreign) index.passed_over.push_back(file.filename().string());
  std::error_code ignored;
  const fs::path root = fs::is_directory(path, ignored) ? path : path.parent_path();
  return std::make_shared<FolderSource>(root, std::move(index));
}

ImageSourcePtr open_image_tree(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return open_images(path);
  ImageIndex index;
  index.names = images_below(path, ".", index.passed_over);
  GESTALT_CHECK(index.size() > 0, "cannot read '{}': no images in it or below{}", path.string(),
                foreign_note(index.passed_over));
  return std::make_shared<FolderSource>(path, std::move(index));
}

ImageSourcePtr subset(ImageSourcePtr source, const std::vector<int64_t>& indices) {
  return std::make_shared<Subset>(std::move(source), indices);
}

std::pair<ImageSourcePtr, ImageSourcePtr> split_by_class(const ImageSourcePtr& source,
                                                         double fraction, uint64_t seed) {
  GESTALT_CHECK(fraction >= 0 && fraction <= 1, "[split] expected a fraction in [0, 1], got {}",
                fraction);
  const ImageIndex& index = source->index();
  GESTALT_CHECK(index.has_labels(), "cannot split '{}': the images have no labels",
                source->location());
  std::vector<std::vector<int64_t>> members(index.classes.size());
  for (int64_t i = 0; i < index.size(); ++i) members[index.labels[i]].push_back(i);

  std::vector<int64_t> rest, part;
  for (const std::vector<int64_t>& of_class : members) {
    std::vector<std::pair<uint64_t, int64_t>> drawn;
    for (const int64_t i : of_class) drawn.emplace_back(draw_of(index.names[i], seed), i);
    std::sort(drawn.begin(), drawn.end());
    const int64_t taken = std::llround(fraction * static_cast<double>(drawn.size()));
    for (int64_t i = 0; i < static_cast<int64_t>(drawn.size()); ++i) {
      (i < taken ? part : rest).push_back(drawn[i].second);
    }
  }
  std::sort(rest.begin(), rest.end());
  std::sort(part.begin(), part.end());
  return {subset(source, rest), subset(source, part)};
}

void check_same_classes(const ImageSource& expected, const ImageSource& source) {
  const auto& a = expected.index().classes;
  const auto& b = source.index().classes;
  const std::set<std::string> of_a(a.begin(), a.end()), of_b(b.begin(), b.end());
  std::vector<std::string> missing, unknown;
  std::set_difference(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
                      std::back_inserter(missing));
  std::set_difference(of_b.begin(), of_b.end(), of_a.begin(), of_a.end(),
                      std::back_inserter(unknown));
  if (missing.empty() && unknown.empty()) {
    GESTALT_CHECK(a == b, "the classes of '{}' are those of '{}' in another order",
                  source.location(), expected.location());
    return;
  }
  std::string difference;
  if (!missing.empty()) difference += "; missing: " + quoted_list(missing);
  if (!unknown.empty()) difference += "; unknown: " + quoted_list(unknown);
  throw Error(format("the classes of '{}' are not those of '{}'{}", source.location(),
                     expected.location(), difference));
}

}  // namespace gestalt::data
