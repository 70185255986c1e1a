#include "data/loader.h"

#include <fstream>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tests/data/folders.h"

namespace gestalt::data {
namespace {

struct Delivered {
  int64_t epoch, step;
  std::vector<int64_t> indices, labels;
  std::vector<float> images;
  bool operator==(const Delivered&) const = default;
};

std::vector<Delivered> all_batches(Loader& loader) {
  std::vector<Delivered> batches;
  while (const auto batch = loader.next()) {
    batches.push_back({batch->epoch, batch->step, batch->indices,
                       batch->labels ? batch->labels.to_vector<int64_t>() : std::vector<int64_t>(),
                       batch->images.to_vector<float>()});
    EXPECT_EQ(batch->images.size(0), static_cast<int64_t>(batch->indices.size()));
  }
  return batches;
}

LoaderOptions shuffled(int workers) {
  LoaderOptions options;
  options.sampler = {.batch_size = 4, .shuffle = true, .seed = 11};
  options.epochs = 3;
  options.workers = workers;
  options.prefetch = 3;
  options.device = Device{};
  return options;
}

class LoaderTest : public ::testing::Test {
 protected:
  void SetUp() override { make_class_folders(root.path(), 6); }

  std::vector<Delivered> load(const LoaderOptions& options) {
    Loader loader(open_dataset(root.path()), train_transform({.size = 16}), options);
    return all_batches(loader);
  }

  const TemporaryFolder root;
};

TEST_F(LoaderTest, AnyNumberOfWorkersGivesTheSameBatches) {
  const std::vector<Delivered> one = load(shuffled(1));
  ASSERT_EQ(one.size(), 15u);  // 18 images in batches of 4, three epochs
  EXPECT_EQ(one[4].indices.size(), 2u);
  EXPECT_EQ(one[7].epoch, 1);
  EXPECT_EQ(one[7].step, 2);
  EXPECT_NE(one[0].images, one[5].images);
  for (const int workers : {2, 3, 7}) EXPECT_EQ(load(shuffled(workers)), one) << workers;
  LoaderOptions narrow = shuffled(4);
  narrow.prefetch = 1;
  EXPECT_EQ(load(narrow), one);
}

TEST_F(LoaderTest, StartsAnywhere) {
  const std::vector<Delivered> all = load(shuffled(2));
  LoaderOptions options = shuffled(2);
  options.epoch = 1;
  options.step = 3;
  options.epochs = 2;
  EXPECT_EQ(load(options), std::vector<Delivered>(all.begin() + 8, all.end()));
  options.step = 5;  // the end of an epoch is the beginning of the next
  EXPECT_EQ(load(options), std::vector<Delivered>(all.begin() + 10, all.end()));
}

TEST_F(LoaderTest, LabelsAndPixelsBelongTogether) {
  LoaderOptions options;
  options.sampler.batch_size = 18;
  options.dtype = DType::u8;
  options.device = Device{};
  const ImageSourcePtr source = open_dataset(root.path());
  Loader loader(source, evaluation_transform({.resize = 0, .crop = 8}), options);
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->images.dtype(), DType::u8);
  EXPECT_EQ(batch->labels.to_vector<int64_t>(), source->index().labels);
  const Image image = source->read(7);
  const int top = static_cast<int>(std::nearbyint((image.height - 8) / 2.0));
  const int left = static_cast<int>(std::nearbyint((image.width - 8) / 2.0));
  const uint8_t* planes = batch->images.data<uint8_t>() + 7 * 3 * 64;
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 64; ++i) {
      ASSERT_EQ(planes[c * 64 + i], image.row(top + i / 8)[3 * (left + i % 8) + c]);
    }
  }
  EXPECT_FALSE(loader.next());
  EXPECT_FALSE(loader.next());
}

TEST_F(LoaderTest, UnreadableImagesAreLeftOutAndNamed) {
  std::ofstream(root / "bird/2.png") << "no image";
  std::ofstream(root / "dog/0.png") << "neither";
  LoaderOptions options = shuffled(3);
  const std::vector<Delivered> batches = load(options);
  size_t images = 0;
  for (const Delivered& batch : batches) {
    images += batch.indices.size();
    EXPECT_EQ(batch.labels.size(), batch.indices.size());
    for (const int64_t index : batch.indices) EXPECT_TRUE(index != 2 && index != 12);
  }
  EXPECT_EQ(images, 3u * 16);

  options.workers = 1;
  Loader loader(open_dataset(root.path()), train_transform({.size = 16}), options);
  EXPECT_EQ(all_batches(loader), batches);
  const auto unreadable = loader.unreadable();
  ASSERT_EQ(unreadable.size(), 2u);
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "bird/2.png': not an image", unreadable.at(2));
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "dog/0.png", unreadable.at(12));
}

TEST_F(LoaderTest, BatchesOfUnreadableImagesArePassedOver) {
  for (int i = 0; i < 6; ++i) std::ofstream(root / ("bird/" + std::to_string(i) + ".png")) << "x";
  LoaderOptions options = shuffled(2);
  options.sampler.shuffle = false;
  options.epochs = 1;
  const std::vector<Delivered> batches = load(options);
  ASSERT_EQ(batches.size(), 4u);
  EXPECT_EQ(batches[0].step, 1);
  EXPECT_EQ(batches[0].indices, (std::vector<int64_t>{6, 7}));
}

TEST_F(LoaderTest, ResumesBeforeATailOfUnreadableImages) {
  for (int i = 0; i < 6; ++i) std::ofstream(root / ("dog/" + std::to_string(i) + ".png")) << "x";
  LoaderOptions options = shuffled(2);
  options.sampler.shuffle = false;
  options.epochs = 1;
  ASSERT_EQ(load(options).size(), 3u);  // of 5
  options.step = 3;
  EXPECT_EQ(load(options).size(), 0u);
}

TEST_F(LoaderTest, NoReadableImageIsAnError) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root.path())) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "x";
  }
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "none of the images can be read",
                      error_of([&] { load(shuffled(2)); }));
}

TEST_F(LoaderTest, FastJpegGivesOtherBytesOfTheSamePicture) {
  const TemporaryFolder jpegs;
  Image image(160, 200);
  for (int y = 0; y < 160; ++y) {
    for (int x = 0; x < 600; ++x) image.row(y)[x] = static_cast<uint8_t>(x / 4 + y / 2);
  }
  save(jpegs / "a/1.jpg", image);
  LoaderOptions options = shuffled(1);
  options.normalization = unit_range;
  options.epochs = 20;
  const auto load_one = [&] {
    Loader loader(open_dataset(jpegs.path()), train_transform({.size = 16}), options);
    return all_batches(loader);
  };
  const std::vector<Delivered> exact = load_one();
  options.fast_jpeg = true;
  const std::vector<Delivered> fast = load_one();
  EXPECT_NE(fast, exact);
  for (size_t i = 0; i < exact.size(); ++i) {
    for (size_t j = 0; j < exact[i].images.size(); ++j) {
      ASSERT_NEAR(fast[i].images[j], exact[i].images[j], 6 / 255.0);
    }
  }
}

TEST_F(LoaderTest, StopsWithBatchesLeft) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    Loader loader(open_dataset(root.path()), train_transform({.size = 16}), shuffled(3));
    if (repeat % 2 == 0) loader.next();
  }
}

TEST_F(LoaderTest, AWorkersExceptionComesOutOfNext) {
  struct BrokenPlan {};
  Transform transform = train_transform({.size = 16});
  transform.plan = [](int, int, Generator&) -> Geometry { throw BrokenPlan(); };
  Loader loader(open_dataset(root.path()), transform, shuffled(3));
  EXPECT_THROW(loader.next(), BrokenPlan);
}

TEST_F(LoaderTest, RejectsBadOptions) {
  LoaderOptions options = shuffled(1);
  options.dtype = DType::f64;
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "f32 or u8, not f64",
                      error_of([&] { load(options); }));
  options = shuffled(1);
  options.step = 6;
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "step 6 of epoch 0 does not exist",
                      error_of([&] { load(options); }));
}

// Five images of one's own, `side` pixels wide and high.
class MemorySource : public ImageSource {
 public:
  MemorySource(int side, std::vector<int64_t> labels) : side_(side) {
    index_.names = {"a", "b", "c", "d", "e"};
    index_.classes = {"cat", "dog"};
    index_.labels = std::move(labels);
  }
  std::unique_ptr<OpenedImage> open(int64_t i) const override {
    return std::make_unique<Opened>(numbered_image(side_, side_, static_cast<int>(i)));
  }
  std::string location() const override { return "memory"; }

 private:
  class Opened : public OpenedImage {
   public:
    explicit Opened(Image image) : image_(std::move(image)) {
      height_ = image_.height;
      width_ = image_.width;
    }
    ImageView decode(const Rectangle& part) override { return ImageView(image_).part(part); }

   private:
    Image image_;
  };

  int side_;
};

// The size that a transform says is that of the batch; another would be written beside it.
TEST(OwnTransform, OfAnotherSizeThanItSaysIsAnError) {
  const Transform transform{
      16, 16, [](int height, int width, Generator&) { return whole_image(height, width); }};
  for (const int side : {12, 20, 300}) {
    for (const DType dtype : {DType::f32, DType::u8}) {
      LoaderOptions options = shuffled(2);
      options.dtype = dtype;
      Loader loader(std::make_shared<MemorySource>(side, std::vector<int64_t>(5)), transform,
                    options);
      const std::string size = std::to_string(side);
      EXPECT_EQ(error_of([&] { loader.next(); }),
                "[loader] the transform's plan gives " + size + " x " + size +
                    " (height x width), its Transform says 16 x 16");
      EXPECT_TRUE(loader.unreadable().empty());
    }
  }
  Loader loader(std::make_shared<MemorySource>(16, std::vector<int64_t>(5)), transform,
                shuffled(2));
  EXPECT_EQ(loader.next()->images.shape(), (Shape{4, 3, 16, 16}));
}

TEST(OwnTransform, WithoutPlanOrSizeIsAnError) {
  const auto source = std::make_shared<MemorySource>(16, std::vector<int64_t>(5));
  EXPECT_EQ(error_of([&] { Loader(source, {.height = 4, .width = 4, .plan = {}}, shuffled(1)); }),
            "[loader] the transform needs a plan and a size of at least 1 x 1, has none and 4 x 4");
  Transform transform = square_transform({.resize = 4});
  transform.width = 0;
  EXPECT_EQ(error_of([&] { Loader(source, transform, shuffled(1)); }),
            "[loader] the transform needs a plan and a size of at least 1 x 1, has one and 4 x 0");
}

TEST(OwnSource, LabelsThatAreNotOneAnImageOrNoClassAreAnError) {
  const auto load = [](std::vector<int64_t> labels) {
    Loader(std::make_shared<MemorySource>(16, std::move(labels)), square_transform({.resize = 4}),
           shuffled(1))
        .next();
  };
  EXPECT_EQ(error_of([&] { load({}); }), "[loader] memory: 0 labels for 5 images");
  EXPECT_EQ(error_of([&] { load({1, 1, 1, 1}); }), "[loader] memory: 4 labels for 5 images");
  EXPECT_EQ(error_of([&] {
              load({0, 1, 9, 0, 0});
            }),
            "[loader] memory: the label of c is 9, there are 2 classes");
  EXPECT_EQ(error_of([&] {
              load({0, 1, 1, -1, 0});
            }),
            "[loader] memory: the label of d is -1, there are 2 classes");
  EXPECT_EQ(error_of([&] { load({0, 1, 1, 0, 0}); }), "");
}

}  // namespace
}  // namespace gestalt::data
