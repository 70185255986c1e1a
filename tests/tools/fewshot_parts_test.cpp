// The parts of a few-shot training: the images, the pictures, the history (its step: tests/steps).

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <set>

#include "data/dataset.h"
#include "data/encode.h"
#include "data/loader.h"
#include "eval/generative_metrics.h"
#include "kernels/error.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"
#include "tests/tools/run_tool.h"
#include "tools/fewshot/check_fits.h"
#include "tools/fewshot/dataset.h"
#include "tools/fewshot/evaluation.h"
#include "tools/fewshot/history.h"
#include "tools/fewshot/pictures.h"
#include "tools/fewshot/random.h"
#include "tools/fewshot/report.h"
#include "tools/fewshot/state.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {
namespace {

using tests::TemporaryFolder;

// Pictures that are dark on the left and bright on the right, each at a level of its own.
TemporaryFolder& pictures() {
  static TemporaryFolder folder;
  if (!std::filesystem::exists(folder / "0.png")) {
    for (int i = 0; i < 5; ++i) {
      data::Image image(32, 32);
      for (int y = 0; y < 32; ++y) {
        for (int x = 0; x < 32; ++x) {
          for (int c = 0; c < 3; ++c) {
            image.row(y)[3 * x + c] = static_cast<uint8_t>((x < 16 ? 10 : 200) + 5 * i);
          }
        }
      }
      data::save_image(folder / (std::to_string(i) + ".png"), image);
    }
  }
  return folder;
}

models::FastGanOptions small_options() {
  models::FastGanOptions options{.image_size = 32, .latent_size = 16, .base_channels = 8};
  options.sparse = {{16, 0.25}};
  return options;
}

TEST(FewshotCheckpoint, TheSettingThatDiffersIsNamedWithItsFlag) {
  models::FastGanCheckpoint checkpoint;
  checkpoint.path = "last.safetensors";
  checkpoint.options = small_options();
  const auto differing = [&](const auto& change) {
    models::FastGanOptions here = small_options();
    change(here);
    return tests::error_of([&] { check_fits(checkpoint, here); });
  };
  EXPECT_EQ(differing([](models::FastGanOptions&) {}), "");
  EXPECT_EQ(differing([](models::FastGanOptions& o) { o.image_size = 64; }),
            "'last.safetensors' is of --im_size 32, not 64: give --im_size 32");
  EXPECT_EQ(differing([](models::FastGanOptions& o) { o.noise = true; }),
            "'last.safetensors' is of --noise off, not on: leave --noise out");
  EXPECT_EQ(
      differing([](models::FastGanOptions& o) { o.sparse.clear(); }),
      "'last.safetensors' is of --sparse_hw_info 16_25, not none: give --sparse_hw_info 16_25");
  checkpoint.options.noise = true;
  EXPECT_EQ(differing([](models::FastGanOptions&) {}),
            "'last.safetensors' is of --noise on, not off: give --noise");
}

FewshotSettings settings_of_published(const std::string& file) {
  FewshotSettings settings;
  settings.latent_size = 8;
  settings.base_channels = 4;
  settings.checkpoint = tests::source_folder() / "tests/fixtures/fastgan" / file;
  return settings;
}

TEST(FewshotStart, OfAPublishedFileHasTheExcitationOfItsCode) {
  const tests::TemporaryFolder folder;
  const RunFolder run(folder.path(), "train_fewshot_gan", "");
  FewshotSettings settings = settings_of_published("named.pth");
  {
    FewshotState state(run, settings, 1);
    EXPECT_EQ(state.model().options().excitation, models::Excitation::linear);
    EXPECT_EQ(state.untold().sparsity,
              format("'{}' does not tell where the network was sparse: taken as none; "
                     "--sparse_hw_info says otherwise",
                     settings.checkpoint));
    EXPECT_EQ(
        state.untold().excitation,
        format("'{}' seems to be of the published code with Top-K, so its excitation is taken "
               "as linear; --excitation says otherwise",
               settings.checkpoint));
    EXPECT_EQ(state.history().best_step(), 30000);  // to which it is rolled back
    state.save_checkpoint();
    state.save_best();
  }
  settings.resume = true;  // what it began with is told by its own checkpoint now
  EXPECT_EQ(FewshotState(run, settings, 1).model().options().excitation,
            models::Excitation::linear);
  settings.resume = false;
  settings.excitation = models::Excitation::sigmoid;
  settings.sparse = "32_5";
  FewshotState given(run, settings, 1);
  EXPECT_EQ(given.model().options().excitation, models::Excitation::sigmoid);
  EXPECT_EQ(given.untold().excitation, "");
  EXPECT_EQ(given.untold().sparsity, "");
  settings.checkpoint.clear();
  settings.excitation.reset();
  EXPECT_EQ(FewshotState(run, settings, 1).model().options().excitation,
            models::Excitation::sigmoid);
}

TEST(FewshotImages, EachOnceInEachRoundAndHalfOfThemMirrored) {
  FewshotImages images(pictures().path(), 32, 7);
  ASSERT_EQ(images.size(), 5);
  Tensor batch = Tensor::empty({2, 3, 32, 32}, {.dtype = DType::u8});
  std::vector<int> seen;
  int mirrored = 0;
  for (int64_t step = 0; step < 100; ++step) {
    images.fill(batch, step);
    for (int64_t i = 0; i < 2; ++i) {
      const std::vector<double> pixels = select(batch, 0, i).to_vector<double>();
      const double left = pixels.front(), right = pixels[31];
      mirrored += left > right;
      seen.push_back(static_cast<int>((std::min(left, right) - 10) / 5));
    }
  }
  for (size_t round = 0; round < seen.size(); round += 5) {
    EXPECT_EQ(std::set<int>(seen.begin() + round, seen.begin() + round + 5).size(), 5u) << round;
  }
  EXPECT_GT(mirrored, 70);
  EXPECT_LT(mirrored, 130);
}

TEST(FewshotImages, AreMirroredAsRandomHorizontalFlipDoes) {
  TemporaryFolder folder;
  Generator random(3);
  for (const char* name : {"a.png", "b.png"}) {
    data::Image image(41, 53);
    for (uint8_t& byte : image.pixels) byte = static_cast<uint8_t>(random.integer(256));
    data::save_image(folder / name, image);
  }
  data::LoaderOptions loading;
  loading.sampler.batch_size = 2;
  loading.dtype = DType::u8;
  data::Loader loader(data::open_images(folder.path()),
                      data::square_transform({.resize = 32, .flip = 1}), loading);
  const Tensor expected = loader.next()->images;
  FewshotImages images(folder.path(), 32, 1);
  Tensor batch = Tensor::empty({2, 3, 32, 32}, {.dtype = DType::u8});
  const auto pixels = [](const Tensor& of, int64_t i) {
    return select(of, 0, i).to_vector<double>();
  };
  std::set<int64_t> mirrored;
  for (int64_t step = 0; step < 20; ++step) {
    images.fill(batch, step);
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 2; ++j) {
        if (pixels(batch, i) == pixels(expected, j)) mirrored.insert(j);
      }
    }
  }
  EXPECT_EQ(mirrored.size(), 2u);
}

TEST(FewshotImages, AreScaledAsNormalizeDoes) {
  const Tensor pixels = Tensor::from_vector<uint8_t>({0, 1, 128, 255}, {4});
  const auto values = to_symmetric(pixels).to_vector<float>();
  const std::vector<float> expected = {-1.0f, (1 / 255.0f - 0.5f) / 0.5f,
                                       (128 / 255.0f - 0.5f) / 0.5f, 1.0f};
  EXPECT_EQ(values, expected);
}

// The published way takes the statistics of each batch of 8, so a batch alone is the grid's row.
TEST(GanPictures, OfSamplesAreDrawnAsTheFiguresAre) {
  GanModel model(small_options(), 1, 2e-4);
  Sampler sampler(model);
  sampler.follow(model);
  const data::Image running = draw_samples(sampler, Sampler::Mode::evaluation, 32, 5);
  const data::Image batches = draw_samples(sampler, Sampler::Mode::training, 32, 5);
  EXPECT_EQ(batches.width, running.width);
  EXPECT_EQ(batches.height, running.height);
  EXPECT_NE(batches.pixels, running.pixels);

  sampler.follow(model);  // drawing in training mode moved its running statistics
  Generator random = random_stream(5, Stream::pictures, 0);
  const Tensor z = random.normal({8, 16});
  const data::Image row = tile(sampler.images(z, Sampler::Mode::training), 8);
  ASSERT_EQ(row.width, batches.width);
  EXPECT_TRUE(std::equal(row.pixels.begin(), row.pixels.end(), batches.pixels.begin()));
  EXPECT_EQ(draw_samples(sampler, Sampler::Mode::evaluation, 512, 5).height, batches.height);
}

FewshotEvaluation evaluation(double fid) {
  FewshotEvaluation result;
  result.paper.fid = {fid, 0, fid};
  return result;
}

TEST(GanHistory, CountsEvaluationsSinceTheBestAndTellsItAgain) {
  GanHistory history({.standard = false});
  EXPECT_TRUE(history.add_evaluation(10, evaluation(5)));
  EXPECT_FALSE(history.add_evaluation(20, evaluation(5)));
  EXPECT_FALSE(history.add_evaluation(30, evaluation(6)));
  EXPECT_EQ(history.without_best(), 2);
  history.add_step({1, 2, 3, 4, 9});  // the last is no loss
  history.add_step({3, 2, 1, 0, 9});
  GanHistory again({.standard = false});
  again.load_state_dict(history.state_dict());
  again.close_interval(30);
  EXPECT_EQ(again.losses().rows().back(), (std::vector<double>{30, 2, 2, 2, 2}));
  EXPECT_EQ(again.best(), 5);
  EXPECT_EQ(again.best_step(), 10);
  EXPECT_EQ(again.without_best(), 2);
  EXPECT_TRUE(again.add_evaluation(40, evaluation(4)));
  EXPECT_EQ(again.without_best(), 0);
  again.add_rollback();
  EXPECT_EQ(again.rollbacks(), 1);
  EXPECT_THROW(GanHistory({}).load_state_dict(history.state_dict()), Error);
}

// The patience's roll-backs are none.
TEST(GanHistory, FailuresAreRollbacksForValuesThatAreNotFinite) {
  GanHistory history({.standard = false}), again({.standard = false});
  history.add_rollback();
  EXPECT_EQ(history.failures(), 0);
  history.count_failure();
  again.load_state_dict(history.state_dict());
  EXPECT_EQ(again.failures(), 1);
  again.forget_failures();
  EXPECT_EQ(again.failures(), 0);
}

// Checkpoints of earlier versions lack one count.
TEST(GanHistory, LoadsWhatWasSavedBeforeFailuresWereCounted) {
  GanHistory history({.standard = false}), again({.standard = false});
  history.add_rollback();
  history.count_failure();
  StateDict state = history.state_dict();
  ASSERT_EQ(std::erase_if(
                state, [](const NamedTensor& entry) { return entry.name == "rollbacks_in_a_row"; }),
            1u);
  again.load_state_dict(state);
  EXPECT_EQ(again.rollbacks(), 1);
  EXPECT_EQ(again.failures(), 0);
}

TEST(GanHistory, ColumnsTellOfAnUntrainedNetwork) {
  const tests::TemporaryFolder folder;
  const auto columns = [&](const GanHistoryOptions& options) {
    GanHistory(options).write_evaluations(folder.path(), "FID");
    return tests::read_text(folder / "evaluations.csv");
  };
  EXPECT_EQ(columns({}), "step,fid,fid_deviation,kid,kid_deviation,fid_paper,kid_paper\n");
  EXPECT_EQ(columns({.standard = false, .untrained = true}),
            "step,untrained_fid_paper,untrained_kid_paper\n");
}

// The published evaluation clamps to [-1, 1] where [0, 1] is black to white.
TEST(Sampler, WhatIsDarkerThanBlackStaysSoForThePaper) {
  GanModel model(small_options(), 1, 2e-4);
  Sampler sampler(model);
  for (const auto& [name, tensor] : sampler.network().state_dict()) {
    if (tensor.rank() == 1 && name.ends_with(".weight")) Tensor(tensor).fill_(30);  // of the norms
  }
  const Tensor z = Generator(3).normal({4, 16});
  const auto range = [](const Tensor& x) {
    const std::vector<double> values = x.to_vector<double>();
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return std::pair(*least, *most);
  };
  EXPECT_EQ(range(sampler.published_images(z)), std::pair(-1.0, 1.0));
  EXPECT_EQ(range(sampler.images(z, Sampler::Mode::training)), std::pair(0.0, 1.0));
}

// The published evaluation resizes to 512x512 and back.
TEST(Sampler, AtMoreThan512PixelsThePaperSeesEverySecond) {
  models::FastGanOptions options = small_options();
  options.image_size = 1024;
  const auto published_and_whole = [&](const Tensor& z) {
    GanModel model(options, 1, 2e-4);
    Sampler published(model), whole(model);
    published.follow(model);  // each draw moves spectral norm's vectors
    whole.follow(model);
    return std::pair(published.published_images(z).to_vector<float>(),
                     whole.images(z, Sampler::Mode::training).to_vector<float>());
  };
  const auto [published, whole] = published_and_whole(Generator(3).normal({2, 16}));
  ASSERT_EQ(published.size(), whole.size());
  constexpr size_t side = 1024;
  bool differ = false;
  for (size_t i = 0; i < whole.size(); ++i) {
    const size_t y = i / side, x = i % side;
    ASSERT_EQ(published[i], whole[y / 2 * 2 * side + x / 2 * 2]) << i;
    differ = differ || published[i] != whole[i];
  }
  EXPECT_TRUE(differ);
}

// The means of the planes, in Inception's place.
eval::FeatureNetwork means_of_planes() {
  return {.features =
              [](const Tensor& x) {
                return flatten(mean(x, {2, 3}), 1);
              },
          .width = 3,
          .weights = eval::Weights::untrained,
          .description = "means",
          .hash = ""};
}

// Batch norm of what is left over is another than that of a whole batch.
TEST(Evaluator, ThePapersBatchesAreWhole) {
  GanModel model(small_options(), 1, 2e-4);
  eval::InceptionFeatures features(means_of_planes());
  const Tensor real = Tensor::full({4, 3, 32, 32}, 100, {.dtype = DType::u8});
  Sampler sampler(model);
  sampler.follow(model);
  Evaluator evaluator(features, real,
                      {.samples = 6, .draws = 1, .batch_size = 4, .standard = false});
  const double fid = evaluator.evaluate(sampler, 1, [] { return false; })->paper.fid.chosen;
  sampler.follow(model);
  Generator random = random_stream(0, Stream::evaluation, ((1 * 2 + 1) << 8));
  std::vector<Tensor> parts;
  for (const int64_t count : {4, 2}) {
    const Tensor images = sampler.published_images(random.normal({4, 16}));
    parts.push_back(features(narrow(images, 0, 0, count), eval::PixelRange::paper));
  }
  const double expected =
      eval::generative_metrics(cat(parts, 0), features(real, eval::PixelRange::paper)).fid;
  EXPECT_EQ(fid, expected);
}

TEST(Sampler, TopKMayStandAtTheFirstResolution) {
  models::FastGanOptions options = small_options();
  const auto images = [&](const models::SparseLevels& sparse) {
    options.sparse = sparse;
    Generator random(5), latents(6);
    models::FastGanGenerator generator(options, random);
    return generator.generate(latents.normal({2, 16})).big.to_vector<float>();
  };
  const std::vector<float> dense = images({});
  EXPECT_EQ(images({{4, 1.0}}), dense);
  EXPECT_NE(images({{4, 0.1}}), dense);
  EXPECT_NE(images({{4, 0.1}}), images({{4, 0.3}}));
}

// What train_d returns there, and the generator's loss with its sign turned.
TEST(LossLine, HasTheMeanLogitsAsPublished) {
  EXPECT_EQ(loss_line({1, 20, 3, -0.25, 0.5}), "GAN: loss d: 0.50000    loss g: 0.25000");
}

TEST(EvaluationLine, OneDrawHasNoDeviation) {
  GanHistory history({});
  FewshotEvaluation figures;
  figures.standard = {{12.5, 0.25, 12}, {0.5, 0.125, 0.25}};
  figures.paper = {{7, 1, 6}, {0.2, 0.1, 0.1}};
  figures.kid_subset = 100;
  history.add_evaluation(20, figures);
  const auto line = [&](int64_t draws) {
    FewshotSettings settings;
    settings.eval_draws = draws;
    settings.eval_samples = 30;
    return evaluation_line(figures, history, settings, "FID", "KID");
  };
  EXPECT_EQ(
      line(3),
      "FID 12.5000 +- 0.2500, KID 0.500000 +- 0.125000 (3 draws of 30, range [0,255], running "
      "statistics); paper-compatible FID 6.0000, KID 0.100000 (lowest FID of 3 draws of 30, range "
      "[127,255], batch statistics); best FID 12.5000 at step 20");
  figures.standard->fid.deviation = figures.standard->kid.deviation = NAN;
  figures.paper.kid.chosen = -1e-9;
  EXPECT_TRUE(line(3).starts_with("FID 12.5000, KID 0.500000 (")) << line(3);
  EXPECT_EQ(line(1),
            "FID 12.5000, KID 0.500000 (1 draw of 30, range [0,255], running statistics); "
            "paper-compatible FID 6.0000, KID 0.000000 (1 draw of 30, range [127,255], batch "
            "statistics); best FID 12.5000 at step 20");
}

}  // namespace
}  // namespace gestalt::tools
