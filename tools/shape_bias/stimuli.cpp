#include "tools/shape_bias/stimuli.h"

#include <cstdio>

#include "eval/text.h"
#include "kernels/error.h"
#include "tools/common/passed_over.h"

namespace gestalt::tools {
namespace {

namespace fs = std::filesystem;

void check_folders(const std::string& folder, const std::vector<std::string>& classes,
                   const eval::Categories& categories) {
  for (const std::string& name : classes) {
    if (categories.contains(name)) continue;
    std::vector<std::string> known;
    for (const eval::Category& category : categories.all()) known.push_back(category.name);
    throw Error(format("'{}': the folder is no category (these are: {})",
                       (fs::path(folder) / name).string(), eval::join(known, ", ")));
  }
}

eval::Stimulus stimulus_of(const std::string& path, const std::string& class_name,
                           const eval::Categories& categories) {
  const eval::Stimulus stimulus =
      eval::parse_stimulus(fs::path(path).filename().string(), categories);
  GESTALT_CHECK(stimulus.shape == class_name, "the shape is '{}', the folder is that of '{}'",
                stimulus.shape, class_name);
  return stimulus;
}

// Files that cannot be opened are met again, and counted, when they are decoded.
void tell_sizes(const data::ImageSource& source, int side) {
  int64_t others = 0;
  std::string first;
  for (int64_t i = 0; i < source.size(); ++i) {
    try {
      const auto image = source.open(i);
      if (image->height() == side && image->width() == side) continue;
      if (others++ == 0) {
        first = format("{} is {}x{}", source.name(i), image->width(), image->height());
      }
    } catch (const Error&) {
    }
  }
  if (others == 0) return;
  std::fprintf(stderr, "%ld of %ld images are not %dx%d (%s): resized to %d, centre cropped\n",
               others, source.size(), side, side, first.c_str(), data::resize_before_crop(side));
}

}  // namespace

Stimuli open_stimuli(const std::string& folder, const eval::Categories& categories, int side) {
  Stimuli stimuli;
  stimuli.source = data::open_dataset(folder);
  const data::ImageIndex& index = stimuli.source->index();
  check_folders(folder, index.classes, categories);
  for (size_t i = 0; i < index.names.size(); ++i) {
    try {
      const std::string& class_name = index.classes[static_cast<size_t>(index.labels[i])];
      stimuli.names.push_back(stimulus_of(index.names[i], class_name, categories));
    } catch (const Error& error) {
      throw Error(format("'{}': {}", (fs::path(folder) / index.names[i]).string(), error.what()));
    }
    stimuli.image_names.push_back(fs::path(index.names[i]).filename().string());
  }
  print_passed_over({stimuli.source.get()});
  tell_sizes(*stimuli.source, side);
  return stimuli;
}

data::Transform stimulus_transform(int side) {
  const data::Transform as_it_is = data::evaluation_transform({.resize = 0, .crop = side});
  const data::Transform resized =
      data::evaluation_transform({.resize = data::resize_before_crop(side), .crop = side});
  return {side, side, [=](int height, int width, Generator& random) {
            const bool fits = height == side && width == side;
            return (fits ? as_it_is : resized).plan(height, width, random);
          }};
}

}  // namespace gestalt::tools
