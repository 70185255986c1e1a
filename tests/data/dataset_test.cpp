#include "data/dataset.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/stat.h>

#include "tests/data/folders.h"

namespace gestalt::data {
namespace {

void touch(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << "x";
}

TEST(Dataset, ListsAsImageFolderDoes) {
  const TemporaryFolder root;
  for (const char* name : {"b/2.JPEG", "b/10.jpg", "b/sub/1.png", "b/a.webp", "Z/1.jpeg",
                           "b/notes.txt", "b/.hidden.png", ".git/1.png", "stray.png"}) {
    touch(root / name);
  }
  const ImageSourcePtr source = open_dataset(root.path());
  EXPECT_EQ(source->index().classes, (std::vector<std::string>{"Z", "b"}));
  EXPECT_EQ(source->index().names, (std::vector<std::string>{"Z/1.jpeg", "b/10.jpg", "b/2.JPEG",
                                                             "b/a.webp", "b/sub/1.png"}));
  EXPECT_EQ(source->index().labels, (std::vector<int64_t>{0, 1, 1, 1, 1}));
  EXPECT_EQ(source->location(), root.path().string());
}

// Below a link that leads back the same files come again, until the system has enough of it.
TEST(Dataset, LinksThatLeadBackAreNotFollowed) {
  const TemporaryFolder root;
  for (const char* name : {"cat/1.png", "dog/1.png", "elsewhere/2.png"}) touch(root / name);
  namespace fs = std::filesystem;
  fs::create_directory_symlink(".", root / "cat/self");
  fs::create_directory_symlink("../dog", root / "cat/other");
  fs::create_directory_symlink("../cat", root / "dog/back");
  fs::create_directory_symlink(root / "elsewhere", root / "dog/there");
  EXPECT_EQ(open_dataset(root.path())->index().names,
            (std::vector<std::string>{"cat/1.png", "cat/other/1.png", "cat/other/there/2.png",
                                      "dog/1.png", "dog/back/1.png", "dog/there/2.png",
                                      "elsewhere/2.png"}));
}

// Reading one waits for somebody to write.
TEST(Dataset, PipesAreNoImages) {
  const TemporaryFolder root;
  touch(root / "cat/1.png");
  ASSERT_EQ(::mkfifo((root / "cat/2.png").c_str(), 0600), 0);
  EXPECT_EQ(open_dataset(root.path())->index().names, std::vector<std::string>{"cat/1.png"});
  EXPECT_EQ(open_images(root / "cat")->size(), 1);
}

TEST(Dataset, ReadsImages) {
  const TemporaryFolder root;
  make_class_folders(root.path(), 2);
  const ImageSourcePtr source = open_dataset(root.path());
  ASSERT_EQ(source->size(), 6);
  EXPECT_EQ(source->name(2), "cat/0.png");
  EXPECT_EQ(source->read(2), numbered_image(25, 40, 0));
  const auto opened = source->open(2);
  EXPECT_EQ(opened->height(), 25);
  EXPECT_EQ(opened->width(), 40);
  const ImageView part = opened->decode({.left = 3, .top = 2, .width = 10, .height = 5});
  EXPECT_EQ(part.width, 10);
  EXPECT_EQ(part.height, 5);
  EXPECT_EQ(part.row(1)[0], 7 * 3);
  EXPECT_EQ(part.row(1)[1], 5 * 3);
}

TEST(Dataset, BadFoldersAreNamed) {
  const TemporaryFolder root;
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "none': no such folder",
                      error_of([&] { open_dataset(root / "none"); }));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "no class folders",
                      error_of([&] { open_dataset(root.path()); }));
  touch(root / "cat/1.png");
  std::filesystem::create_directories(root / "dog");
  touch(root / "owl/readme.txt");
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "no images in the class folders 'dog', 'owl'",
                      error_of([&] { open_dataset(root.path()); }));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "neither a folder nor a packed file",
                      error_of([&] { open_dataset(root / "cat/1.png"); }));
}

TEST(Dataset, UnlabeledImages) {
  const TemporaryFolder root;
  save(root / "b.png", numbered_image(4, 5, 1));
  save(root / "a.png", numbered_image(4, 5, 2));
  const ImageSourcePtr source = open_images(root.path());
  EXPECT_EQ(source->index().names, (std::vector<std::string>{"a.png", "b.png"}));
  EXPECT_FALSE(source->index().has_labels());
  EXPECT_EQ(source->read(1), numbered_image(4, 5, 1));
  EXPECT_EQ(open_images(root / "b.png")->read(0), numbered_image(4, 5, 1));
}

TEST(Dataset, TreesOfImages) {
  const TemporaryFolder root;
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "no images in it or below",
                      error_of([&] { open_image_tree(root.path()); }));
  for (const char* name : {"b.png", "a/2.png", "a/deep/1.jpg", "a/.hidden/3.png"}) {
    touch(root / name);
  }
  EXPECT_EQ(open_image_tree(root.path())->index().names,
            (std::vector<std::string>{"b.png", "a/2.png", "a/deep/1.jpg"}));
}

TEST(Dataset, ImagesOfOtherKindsArePassedOverByName) {
  const TemporaryFolder folder;
  make_class_folders(folder.path(), 2);
  std::filesystem::create_directories(folder / "dog/deep");
  for (const char* name :
       {"dog/deep/b.gif", "dog/a.GIF", "cat/c.avif", "cat/.hidden.gif", "cat/d.txt"}) {
    std::ofstream(folder / name) << "x";
  }
  const std::vector<std::string> expected = {"cat/c.avif", "dog/a.GIF", "dog/deep/b.gif"};
  const auto set = open_dataset(folder.path());
  EXPECT_EQ(set->size(), 6);
  EXPECT_EQ(set->index().passed_over, expected);
  EXPECT_EQ(open_image_tree(folder.path())->index().passed_over, expected);
  EXPECT_EQ(open_images(folder / "dog")->index().passed_over, std::vector<std::string>{"a.GIF"});
  EXPECT_TRUE(open_images(folder / "bird")->index().passed_over.empty());
  const auto [rest, part] = split_by_class(set, 0.5, 1);
  EXPECT_EQ(part->index().passed_over, expected);
}

TEST(Dataset, AFolderOfImagesOfOtherKindsAloneSaysSo) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "cat");
  std::ofstream(folder / "cat/b.gif") << "x";
  EXPECT_EQ(error_of([&] { open_image_tree(folder.path()); }),
            "cannot read '" + folder.path().string() +
                "': no images in it or below (1 file of a kind that is not read, such as "
                "'cat/b.gif')");
  std::ofstream(folder / "cat/a.heic") << "x";
  save(folder / "bird/a.png", numbered_image(4, 5, 1));
  std::ofstream(folder / "bird/a.gif") << "x";  // of no interest to the others
  EXPECT_EQ(error_of([&] { open_dataset(folder.path()); }),
            "cannot read '" + folder.path().string() +
                "': no images in the class folder 'cat' (2 files of a kind that is not read, such "
                "as 'cat/a.heic')");
}

TEST(Dataset, SplitsEachClass) {
  const TemporaryFolder root;
  make_class_folders(root.path(), 10);
  const ImageSourcePtr all = open_dataset(root.path());
  const auto [train, held_out] = split_by_class(all, 0.25, 5);
  EXPECT_EQ(train->size(), 21);  // round(2.5) is 3 a class
  EXPECT_EQ(held_out->size(), 9);
  std::vector<std::string> names = train->index().names;
  names.insert(names.end(), held_out->index().names.begin(), held_out->index().names.end());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, all->index().names);
  for (int64_t i = 0; i < held_out->size(); ++i) {
    const std::string& name = held_out->name(i);
    EXPECT_EQ(held_out->index().classes[held_out->index().labels[i]],
              name.substr(0, name.find('/')));
  }
  EXPECT_EQ(split_by_class(all, 0.25, 5).second->index().names, held_out->index().names);
  EXPECT_NE(split_by_class(all, 0.25, 6).second->index().names, held_out->index().names);
}

// As a packed file has no unreadable image, and a folder gets one more.
TEST(Dataset, OneImageLessChangesAtMostOneNameOfTheSplit) {
  const TemporaryFolder root;
  for (const char* name : {"cat/", "dog/"}) {
    for (int i = 0; i < 10; ++i) touch(root / (name + std::to_string(i) + ".png"));
  }
  const ImageSourcePtr all = open_dataset(root.path());
  const auto held_out = [](const ImageSourcePtr& source, double fraction, uint64_t seed) {
    return split_by_class(source, fraction, seed).second->index().names;
  };
  const auto missing = [](const std::vector<std::string>& from,
                          const std::vector<std::string>& in) {
    std::vector<std::string> names;
    std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(names));
    return names.size();
  };
  for (int64_t left_out = 0; left_out < all->size(); ++left_out) {
    std::vector<int64_t> others;
    for (int64_t i = 0; i < all->size(); ++i) {
      if (i != left_out) others.push_back(i);
    }
    const ImageSourcePtr less = subset(all, others);
    for (const auto& [fraction, seed] : {std::pair(0.2, 0), std::pair(0.3, 7), std::pair(0.5, 3)}) {
      const auto before = held_out(all, fraction, seed), after = held_out(less, fraction, seed);
      EXPECT_LE(missing(before, after), 1u) << left_out << ' ' << fraction;
      EXPECT_LE(missing(after, before), 1u) << left_out << ' ' << fraction;
    }
  }
}

TEST(Dataset, ClassesThatDifferAreNamed) {
  const TemporaryFolder root;
  touch(root / "train/cat/1.png");
  touch(root / "train/dog/1.png");
  touch(root / "val/cat/1.png");
  touch(root / "val/dogs/1.png");
  const auto train = open_dataset(root / "train"), val = open_dataset(root / "val");
  check_same_classes(*train, *train);
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "missing: 'dog'; unknown: 'dogs'",
                      error_of([&] { check_same_classes(*train, *val); }));
}

TEST(Dataset, ClassesInAnotherOrderAreRefused) {
  struct Named : ImageSource {
    explicit Named(std::vector<std::string> classes) { index_.classes = std::move(classes); }
    std::unique_ptr<OpenedImage> open(int64_t) const override { return nullptr; }
    std::string location() const override { return "here"; }
  };
  const Named expected({"cat", "dog"}), other({"dog", "cat"});
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "in another order",
                      error_of([&] { check_same_classes(expected, other); }));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "missing: 'cat'; unknown: 'ape'", error_of([&] {
                        check_same_classes(expected, Named({"dog", "ape"}));
                      }));
}

}  // namespace
}  // namespace gestalt::data
