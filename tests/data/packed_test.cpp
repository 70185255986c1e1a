#include "data/packed.h"

#include <fstream>
#include <gtest/gtest.h>

#include "data/loader.h"
#include "tensor/io/bytes.h"
#include "tensor/io/safetensors.h"
#include "tests/data/folders.h"

namespace gestalt::data {
namespace {

void pack(const ImageSourcePtr& source, const std::filesystem::path& path) {
  PackWriter writer(path, source->index().classes);
  for (int64_t i = 0; i < source->size(); ++i) {
    const int64_t label = source->index().has_labels() ? source->index().labels[i] : 0;
    writer.add(source->name(i), label, source->read(i));
  }
  writer.finish();
}

class Packed : public ::testing::Test {
 protected:
  void SetUp() override {
    make_class_folders(root / "images", 4);
    folder = open_dataset(root / "images");
    pack(folder, path);
  }

  // The file with these bytes changed.
  void overwrite(size_t position, const std::string& bytes) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(position));
    file << bytes;
  }

  int64_t files() const {
    int64_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path.parent_path())) {
      count += entry.is_regular_file();
    }
    return count;
  }

  const TemporaryFolder root;
  const std::filesystem::path path = root / "images.packed";
  ImageSourcePtr folder;
};

TEST_F(Packed, TakesNoImageThatItCouldNotOpen) {
  PackWriter writer(root / "large.packed", {});
  Image image;  // its size alone is looked at
  image.height = 1;
  image.width = static_cast<int>(max_image_pixels) + 1;
  EXPECT_THROW(writer.add("large.png", 0, image), Error);
  image.width = 0;
  EXPECT_THROW(writer.add("empty.png", 0, image), Error);
  EXPECT_THROW(writer.finish(), Error);  // none was added
}

TEST_F(Packed, HoldsWhatTheFolderHolds) {
  const ImageSourcePtr packed = open_dataset(path);
  EXPECT_EQ(packed->index().names, folder->index().names);
  EXPECT_EQ(packed->index().classes, folder->index().classes);
  EXPECT_EQ(packed->index().labels, folder->index().labels);
  EXPECT_EQ(packed->location(), path.string());
  for (int64_t i = 0; i < folder->size(); ++i) EXPECT_EQ(packed->read(i), folder->read(i)) << i;
  verify_packed(path);
  EXPECT_EQ(files(), 1);
}

TEST_F(Packed, GivesTheBatchesOfTheFolder) {
  LoaderOptions options;
  options.sampler = {.batch_size = 5, .shuffle = true, .seed = 2};
  options.epochs = 2;
  options.workers = 2;
  options.device = Device{};
  Loader from_folder(folder, train_transform({.size = 20}), options);
  Loader from_file(open_dataset(path), train_transform({.size = 20}), options);
  int batches = 0;
  while (const auto expected = from_folder.next()) {
    const auto batch = from_file.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->indices, expected->indices);
    EXPECT_EQ(batch->images.to_vector<float>(), expected->images.to_vector<float>());
    EXPECT_EQ(batch->labels.to_vector<int64_t>(), expected->labels.to_vector<int64_t>());
    ++batches;
  }
  EXPECT_EQ(batches, 6);
  EXPECT_FALSE(from_file.next());
}

TEST_F(Packed, OneSizeIsOneTensorOfImages) {
  const TemporaryFolder flat;
  for (int i = 0; i < 3; ++i) save(flat / (std::to_string(i) + ".png"), numbered_image(6, 5, i));
  pack(open_images(flat.path()), path);
  int found = 0;
  for (const NamedTensor& entry : read_safetensors(map_file(path.string()))) {
    if (entry.name != "images") continue;
    ++found;
    EXPECT_EQ(entry.tensor.shape(), (Shape{3, 6, 5, 3}));
  }
  EXPECT_EQ(found, 1);
  EXPECT_FALSE(open_images(path)->index().has_labels());
  EXPECT_EQ(open_images(path)->read(1), numbered_image(6, 5, 1));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "packed without classes",
                      error_of([&] { open_dataset(path); }));
}

TEST_F(Packed, TruncatedAtAnyPlaceIsAnError) {
  const size_t size = std::filesystem::file_size(path);
  for (const size_t left : {size - 1, size / 2, size_t{600}, size_t{40}}) {
    std::filesystem::resize_file(path, left);
    EXPECT_PRED_FORMAT2(::testing::IsSubstring,
                        "images.packed': ", error_of([&] { open_packed(path); }))
        << left;
  }
}

TEST_F(Packed, ForeignFilesAreNamed) {
  std::ofstream(root / "text.packed") << "these are not pixels";
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "neither a folder nor a packed file",
                      error_of([&] { open_dataset(root / "text.packed"); }));
  write_safetensors(root / "weights.safetensors",
                    std::vector<NamedTensor>{{"weight", Tensor::zeros({2})}});
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "not one of packed images",
                      error_of([&] { open_dataset(root / "weights.safetensors"); }));
}

TEST_F(Packed, ChangedPixelsAreFound) {
  overwrite(std::filesystem::file_size(path) - 200, "xyz");
  EXPECT_PRED_FORMAT2(::testing::IsNotSubstring, "cannot read",
                      error_of([&] { verify_packed(path); }));
  EXPECT_NE(error_of([&] { verify_packed(path); }), "");
}

TEST_F(Packed, IndicesThatLeaveTheFileAreErrors) {
  StateDict state = read_safetensors(map_file(path.string()));
  Metadata metadata;
  read_safetensors(map_file(path.string()), &metadata);
  for (const char* name : {"offsets", "sizes", "labels"}) {
    StateDict changed = state;
    for (NamedTensor& entry : changed) {
      if (entry.name != name) continue;
      entry.tensor = entry.tensor.clone();
      entry.tensor.data<int64_t>()[3] = int64_t{1} << 40;
    }
    const std::string other = root / "changed.packed";
    write_safetensors(other, changed, metadata);
    EXPECT_PRED_FORMAT2(::testing::IsSubstring, "changed.packed': image ",
                        error_of([&] { open_packed(other); }))
        << name;
  }
}

TEST_F(Packed, NothingIsLeftOfAnUnfinishedFile) {
  const std::filesystem::path other = root / "other.packed";
  const std::filesystem::path neighbour = other.string() + ".pixels";
  std::ofstream(neighbour) << "a user's own";
  { PackWriter(other, {}).add("a", 0, numbered_image(3, 3, 1)); }
  EXPECT_FALSE(std::filesystem::exists(other));
  EXPECT_EQ(files(), 2);  // of SetUp, and the neighbour, which nothing touched
  EXPECT_EQ(std::filesystem::file_size(neighbour), 12u);
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "no image to pack",
                      error_of([&] { PackWriter(other, {}).finish(); }));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "cannot write",
                      error_of([&] { PackWriter(root / "none/a.packed", {}); }));
}

}  // namespace
}  // namespace gestalt::data
