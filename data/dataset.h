#pragma once

// Opening folders of images, and parts of them.
//
// Class folders are ROOT/CLASS/**/*.jpg ... as torchvision's ImageFolder reads them: classes are
// the subfolders of ROOT, sorted bytewise; images of a class are sorted by path, subfolders
// included; links are followed. Extensions: see has_image_extension. Hidden files and folders are
// passed over, and so are files of other kinds; ImageIndex::passed_over names those that look like
// images. A packed file (data/packed.h) is opened in place of either kind of folder.
//
// Errors, one line with the path: missing, no class folders, a class with no image, packed without
// classes.

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "data/image_source.h"

namespace gestalt::data {

using ImageSourcePtr = std::shared_ptr<const ImageSource>;

// With labels.
ImageSourcePtr open_dataset(const std::filesystem::path& path);

// The images of a folder (not of its subfolders), without labels; one file; or a packed file.
ImageSourcePtr open_images(const std::filesystem::path& path);

// All images below a folder, in any depth, without labels; one file; or a packed file.
ImageSourcePtr open_image_tree(const std::filesystem::path& path);

// The images of `source` with these numbers, in this order; classes stay as they are.
ImageSourcePtr subset(ImageSourcePtr source, const std::vector<int64_t>& indices);

// Splits each class into {the rest, round(fraction * its images)}, both in the source's order, by a
// draw of each name ("CLASS/...") with the seed: one image less changes at most one of the part.
std::pair<ImageSourcePtr, ImageSourcePtr> split_by_class(const ImageSourcePtr& source,
                                                         double fraction, uint64_t seed);

// Throws Error, naming the classes that one has and the other has not, or where their order differs
// (as a packed file's may): labels are places in it.
void check_same_classes(const ImageSource& expected, const ImageSource& source);

}  // namespace gestalt::data
