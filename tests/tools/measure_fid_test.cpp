// The tool as a user runs it.

#include <cmath>
#include <fstream>

#include "data/packed.h"
#include "eval/frechet.h"
#include "eval/kernel_distance.h"
#include "kernels/error.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/npy.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/random.h"
#include "tests/error_of.h"
#include "tests/source_folder.h"
#include "tests/tools/hashes.h"
#include "tests/tools/measure_fid_fixture.h"
#include "tools/fid/feature_cache.h"
#include "tools/fid/feature_file.h"

namespace gestalt::tests {
namespace {

TEST_F(MeasureFid, FoldersGiveStampedFiguresAndTheCacheTheSameOnes) {
  const fs::path first = folder_ / "first.json", second = folder_ / "second.json";
  const ToolResult result = measure_images({"--json", first.string()});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  for (const char* text :
       {"FID(64, untrained): ", "KID(64, untrained): ", "reduced from 100 images", "untrained",
        "TensorFlow 1 bilinear to 299x299", "range [0,255]", "N 5 against 3", "draws as given"}) {
    EXPECT_NE(result.output.find(text), std::string::npos) << text << "\n" << result.output;
  }
  const json figures = tools::read_json(first)["results"][0];
  EXPECT_TRUE(std::isfinite(figures["fid"]["value"].get<double>()));
  EXPECT_GT(figures["fid"]["value"].get<double>(), 0);
  EXPECT_EQ(figures["kid"]["subset_size"], 3);
  EXPECT_EQ(figures["kid"]["subset_size_reduced"], true);
  EXPECT_EQ(figures["images"], json({5, 3}));
  EXPECT_EQ(figures["network"]["weights"], "untrained");
  EXPECT_EQ(figures["features"], 64);

  GESTALT_NEEDS_HASHES();  // what is kept goes by them
  EXPECT_EQ(figures["network"]["sha256"].get<std::string>().size(), 64u);
  ASSERT_EQ(std::distance(fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()), 2);
  // Found there: a file in its place with other features gives other figures.
  ASSERT_EQ(measure_images({"--json", second.string()}).exit_code, 0);
  EXPECT_EQ(tools::read_json(second)["results"], tools::read_json(first)["results"]);
  for (const auto& file : fs::directory_iterator(folder_ / "cache")) {
    Checkpoint cached = read_checkpoint(file.path().string());
    cached.tensors[0].tensor = cached.tensors[0].tensor * 2;
    write_safetensors(file.path().string(), cached.tensors, cached.metadata);
  }
  ASSERT_EQ(measure_images({"--json", second.string()}).exit_code, 0);
  EXPECT_NEAR(tools::read_json(second)["results"][0]["fid"]["value"].get<double>() /
                  figures["fid"]["value"].get<double>(),
              4, 1e-3);
  // Another image is another set, a damaged file none.
  for (const auto& file : fs::directory_iterator(folder_ / "cache")) {
    std::ofstream(file.path()) << "x";
  }
  write_image("a/0.png", picture(32, 8));
  ASSERT_EQ(measure_images({"--json", second.string()}).exit_code, 0);
  EXPECT_NE(tools::read_json(second)["results"][0]["fid"], figures["fid"]);
}

TEST_F(MeasureFid, StatisticsAreKeptAndFoundByTheirFeatures) {
  GESTALT_NEEDS_HASHES();
  Generator generator(3);
  const std::string a = write_features("a.safetensors", generator.normal({40, 6}));
  const std::string b = write_features("b.safetensors", generator.normal({30, 6}));
  const std::string few = write_features("few.safetensors", generator.normal({4, 6}));
  const fs::path file = folder_ / "figures.json";
  const auto fid = [&](const std::string& other) {
    const ToolResult result = measure({a, other, "--json", file.string()});
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return tools::read_json(file)["results"][0]["fid"]["value"].get<double>();
  };
  const auto kept = [&] {
    std::vector<fs::path> files;
    for (const auto& each : fs::directory_iterator(folder_ / "cache")) files.push_back(each.path());
    return files;
  };
  const double first = fid(b);
  ASSERT_EQ(kept().size(), 2u);
  EXPECT_EQ(fid(b), first);
  const double of_few = fid(few);  // of fewer images than features nothing is gained
  EXPECT_EQ(kept().size(), 2u);
  // They are what the figure is had from: others in their place give another.
  for (const fs::path& path : kept()) {
    Checkpoint statistics = read_checkpoint(path.string());
    for (NamedTensor& entry : statistics.tensors) entry.tensor = entry.tensor * 2;
    write_safetensors(path.string(), statistics.tensors, statistics.metadata);
  }
  EXPECT_NEAR(fid(b) / first, 4, 1e-9);
  // A damaged file is none, and other features have other names.
  for (const fs::path& path : kept()) std::ofstream(path) << "x";
  EXPECT_EQ(fid(b), first);
  EXPECT_EQ(fid(few), of_few);
  write_features("b.safetensors", generator.normal({30, 6}) + 1.0);
  EXPECT_GT(fid(b), first + 1);
  EXPECT_EQ(kept().size(), 3u);
  const ToolResult none =
      run_tool("measure_fid", {a, b, "--no_cache", "--quiet", "--device", "cpu"});
  EXPECT_EQ(none.exit_code, 0) << none.output;
}

TEST_F(MeasureFid, BothRangesSideBySide) {
  const fs::path file = folder_ / "figures.json";
  ASSERT_EQ(measure_images({"--range", "both", "--json", file.string()}).exit_code, 0);
  const json results = tools::read_json(file)["results"];
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0]["range"], "[0,255]");
  EXPECT_EQ(results[1]["range"], "[127,255]");
  // Half the contrast through a network that is nearly linear: a smaller distance.
  EXPECT_LT(results[1]["fid"]["value"].get<double>(), results[0]["fid"]["value"].get<double>());
}

TEST_F(MeasureFid, FoldersPackedFilesAndFeatureFilesMix) {
  const fs::path packed = folder_ / "a.packed", kept = folder_ / "b.safetensors";
  data::PackWriter writer(packed, {});
  for (int i = 0; i < 5; ++i) writer.add(std::to_string(i) + ".png", 0, picture(32, i));
  writer.finish();
  const auto figures = [&](std::vector<std::string> arguments) {
    const fs::path file = folder_ / "figures.json";
    arguments.insert(arguments.end(), {"--features", "64", "--json", file.string()});
    const ToolResult result = measure(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return tools::read_json(file)["results"][0];
  };
  const json folders = figures({a_, b_, "--save_b", kept.string()});
  EXPECT_EQ(figures({packed.string(), b_}), folders);
  EXPECT_EQ(figures({packed.string(), kept.string()}), folders);
  EXPECT_EQ(figures({a_, kept.string()}), folders);
}

// What sample_fewshot_gan writes has a contact sheet beside the pictures.
TEST_F(MeasureFid, ResizedImagesAreThoseOfAPackedFileOfThatSize) {
  const std::string packed = (folder_ / "a.packed").string(), small = (folder_ / "a24").string();
  ASSERT_EQ(run_tool("pack_images",
                     {a_, packed, "--flat", "--resize", "square", "--size", "24", "--quiet"})
                .exit_code,
            0);
  const std::string json_file = (folder_ / "figures.json").string();
  const auto figures = [&](const std::string& a, std::vector<std::string> more) {
    more.insert(more.begin(), {a, b_, "--features", "64", "--json", json_file});
    const ToolResult result = measure(more);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return tools::read_json(json_file)["results"][0];
  };
  const json as_they_are = figures(a_, {});
  const json resized = figures(a_, {"--resize", "24", "--save_a", small + ".safetensors"});
  EXPECT_NE(resized["fid"], as_they_are["fid"]);  // also where the cache has those as they are
  EXPECT_EQ(resized["resize"], "Pillow bilinear to 24x24, TensorFlow 1 bilinear to 299x299");
  EXPECT_EQ(figures(packed, {"--resize", "24"}), resized);
  EXPECT_EQ(figures(a_, {"--resize", "24"}), resized);
  EXPECT_EQ(figures(small + ".safetensors", {"--resize", "24"}), resized);

  const std::string other = failure({small + ".safetensors", b_, "--features", "64"});
  EXPECT_NE(other.find("another resize"), std::string::npos) << other;
  failure({small + ".safetensors", small + ".safetensors", "--resize", "24"}, 2);
  failure({a_, b_, "--resize", "-1"}, 2);
}

TEST_F(MeasureFid, AFolderOfSamplesIsItsPictures) {
  const fs::path samples = folder_ / "samples", file = folder_ / "figures.json";
  fs::create_directories(samples);
  fs::copy(a_, samples / "images", fs::copy_options::recursive);
  data::save_image(samples / "grid.png", picture(64, 9));
  const auto count = [&] {
    const ToolResult result =
        measure({samples.string(), b_, "--features", "64", "--json", file.string()});
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return tools::read_json(file)["results"][0]["images"][0].get<int>();
  };
  const int with_sheet = count();
  std::ofstream(samples / "config.json") << R"({"tool": "sample_fewshot_gan", "settings": {}})";
  EXPECT_EQ(count(), with_sheet - 1);
}

TEST_F(MeasureFid, FeaturesOfAnyFormatGiveTheLibrarysFigures) {
  Generator generator(3);
  const Tensor a = generator.normal({40, 6}), b = generator.normal({30, 6}) + 0.5;
  const std::string file_a = write_features("a.safetensors", a);
  const std::string file_b = write_features("b.safetensors", b.to(DType::f64));
  const fs::path json_file = folder_ / "figures.json";
  const ToolResult result =
      measure({file_a, file_b, "--subset_size", "20", "--json", json_file.string()});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("does not tell how they were made"), std::string::npos);
  EXPECT_NE(result.output.find(", 100 subsets of 20 images\n"), std::string::npos);
  EXPECT_EQ(result.output.find("reduced"), std::string::npos);
  const json figures = tools::read_json(json_file)["results"][0];
  EXPECT_DOUBLE_EQ(figures["fid"]["value"].get<double>(), eval::frechet_distance(a, b));
  EXPECT_DOUBLE_EQ(figures["kid"]["mean"].get<double>(),
                   eval::kernel_distance(a, b, {.subset_size = 20}).mean);
  EXPECT_EQ(figures["network"]["weights"], "not told");
  // To stdout: JSON alone.
  const ToolResult printed = measure({file_a, file_b, "--subset_size", "20", "--json", "-"});
  EXPECT_EQ(json::parse(printed.output)["results"][0], figures);
}

TEST_F(MeasureFid, OneSubsetHasNoDeviationAndEqualSetsNoDistance) {
  Generator generator(3);
  const std::string file = write_features("a.safetensors", generator.normal({40, 6}));
  const fs::path figures = folder_ / "figures.json";
  const ToolResult result =
      measure({file, file, "--subset_size", "20", "--subsets", "1", "--json", figures.string()});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(tools::read_json(figures)["results"][0]["kid"]["deviation"].is_null());
  EXPECT_TRUE(result.output.starts_with("FID(6): 0\nKID(6): ")) << result.output;
  EXPECT_NE(result.output.find(", 1 subset of 20 images\n"), std::string::npos) << result.output;
  EXPECT_EQ(result.output.find("+-"), std::string::npos) << result.output;
}

TEST_F(MeasureFid, FeaturesTellOfTheWeightsBehindThem) {
  const std::string kept = (folder_ / "a.safetensors").string();
  ASSERT_EQ(measure_images({"--save_a", kept}).exit_code, 0);
  const Checkpoint file = read_checkpoint(kept);
  EXPECT_EQ(file.metadata.at("weights"), "untrained");
  const auto weights_of = [&](const Metadata& told) {
    Metadata metadata = file.metadata;
    metadata.erase("weights");
    metadata.insert(told.begin(), told.end());
    write_safetensors(kept, file.tensors, metadata);
    return eval::to_string(tools::read_features(kept).origin->weights);
  };
  for (const std::string text : {"untrained", "given", "trained", "not told"}) {
    EXPECT_EQ(weights_of({{"weights", text}}), text);
  }
  // As earlier versions wrote them: whatever file was given counted as trained.
  EXPECT_EQ(weights_of({{"trained", "true"}}), std::string("given"));
  EXPECT_EQ(weights_of({{"trained", "false"}}), std::string("untrained"));
  EXPECT_THROW(weights_of({}), Error);
}

// A damaged file of the cache is made again; one that can't be written costs nothing but the next
// run's time.
TEST_F(MeasureFid, WhatTheCacheCanNotKeepIsNotLost) {
  const std::string kept = (folder_ / "a.safetensors").string();
  ASSERT_EQ(measure_images({"--save_a", kept}).exit_code, 0);
  const Checkpoint file = read_checkpoint(kept);
  for (const std::string count : {"", "x", "1x", "99999999999999999999"}) {
    Metadata metadata = file.metadata;
    metadata["unreadable"] = count;
    write_safetensors(kept, file.tensors, metadata);
    EXPECT_PRED_FORMAT2(testing::IsSubstring, "a.safetensors': its metadata tell of '" + count,
                        error_of([&] { tools::read_features(kept); }));
  }
  write_safetensors(kept, file.tensors, file.metadata);
  const tools::Features features = tools::read_features(kept);
  const tools::FeatureCache nowhere(folder_ / "none");
  EXPECT_NO_THROW(nowhere.keep("hash of the images", features));
  tools::Features many = features;
  many.values = Generator(1).normal({5, 3});
  many.content_hash = "hash";
  EXPECT_EQ(nowhere.statistics(many).mean.numel(), 3);
  EXPECT_FALSE(fs::exists(folder_ / "none"));
}

TEST_F(MeasureFid, NumPysFilesAreRead) {
  const std::string good = (folder_ / "good.npy").string(), bad = (folder_ / "bad.npy").string();
  save_npy(good, Tensor::from_vector<float>({1, 2, 3, 4, 5, 6.5}, {3, 2}));
  EXPECT_EQ(measure({good, good}).exit_code, 0);
  fs::copy_file(good, bad);
  fs::resize_file(bad, fs::file_size(bad) - 1);
  EXPECT_NE(failure({bad, good}).find("bad.npy': truncated"), std::string::npos);
  save_npy(bad, Tensor::from_vector<int64_t>({1, 2, 3, 4, 5, 6}, {3, 2}));
  EXPECT_NE(failure({bad, good}).find("of f32 or f64, it is i64[3,2]"), std::string::npos);
  save_npy(bad, Tensor::from_vector<float>({1, 2, 3}, {3}));
  EXPECT_NE(failure({bad, good}).find("[N,D] of f32 or f64, it is f32[3]"), std::string::npos);
}

TEST_F(MeasureFid, OfSeveralStateDictsTheToolThatTakesOneIsNamed) {
  const std::string gan = tests::source_folder() / "tests/fixtures/checkpoints/gan.zip.2x.pth";
  EXPECT_EQ(
      failure({a_, b_, "--inception", gan}),
      "measure_fid: '" + gan +
          "' holds several state dicts, choose one (convert_weights --select): g, d, g_ema\n");
}

TEST_F(MeasureFid, UnreadableImagesAreLeftOutAndCounted) {
  std::ofstream(folder_ / "a/2.png") << "no image";
  const fs::path file = folder_ / "figures.json";
  const ToolResult result = measure_images({"--json", file.string()});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_NE(result.output.find("left out: "), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("a/2.png"), std::string::npos);
  const json figures = tools::read_json(file)["results"][0];
  EXPECT_EQ(figures["images"], json({4, 3}));
  EXPECT_EQ(figures["unreadable"], json({1, 0}));
}

TEST_F(MeasureFid, BadInputIsOneLineThatNamesIt) {
  fs::create_directories(folder_ / "empty");
  const auto says = [&](const std::vector<std::string>& arguments, const std::string& text,
                        int exit_code = 1) {
    const std::string line = failure(arguments, exit_code);
    EXPECT_NE(line.find(text), std::string::npos) << text << "\n" << line;
  };
  says({a_, (folder_ / "empty").string()}, "empty': no images in it or below");
  says({a_, (folder_ / "missing").string()}, "missing': no such file or folder");
  write_image("one/x.png", picture(32, 1));
  says({a_, (folder_ / "one").string()}, "one' holds 1 image: FID and KID need at least two");
  says({a_, (folder_ / "one/x.png").string()}, "x.png' holds 1 image");
  std::ofstream(folder_ / "text.txt") << "no features";
  says({a_, (folder_ / "text.txt").string()}, "text.txt'");

  Generator generator(3);
  const std::string wide = write_features("wide.safetensors", generator.normal({5, 96}));
  const std::string narrow = write_features("narrow.safetensors", generator.normal({5, 64}));
  const std::string one = write_features("one.safetensors", generator.normal({1, 64}));
  says({wide, narrow}, "wide.safetensors' has 96 features an image, '" + narrow + "' has 64");
  says({narrow, one}, "one.safetensors' holds 1 image");
  says({narrow, narrow, "--range", "both"}, "holds features of one range", 2);
  for (const std::vector<std::string>& flag : std::vector<std::vector<std::string>>{
           {"--range", "paper"}, {"--features", "192"}, {"--inception", wide}}) {
    says({narrow, narrow, flag[0], flag[1]}, flag[0] + " tells how features of images are made", 2);
  }
  const std::string figures = (folder_ / "figures.json").string();
  says({narrow, narrow, "--save_a", figures, "--json", figures}, "two outputs would be written to");
  says({narrow, narrow, "--subset_size", "1"}, "--subset_size: must be 2 or more, got 1", 2);
  std::vector<float> values(5 * 64, 0.5f);
  values[64 + 7] = std::nanf("");
  const std::string nan = write_features("nan.safetensors", Tensor::from_vector(values, {5, 64}));
  says({narrow, nan}, "nan.safetensors': feature 7 of row 1 is NaN");
  says({narrow, narrow, "--json", (folder_ / "none/figures.json").string()}, "none");
  says({a_, b_, "--inception", (folder_ / "text.txt").string()}, "text.txt");
  says({a_, b_, "--features", "100"}, "--features", 2);
}

// Unreadable folders are none for root.
TEST_F(MeasureFid, NoOutputIsAnInput) {
  const std::string features = write_features("f.safetensors", Tensor::ones({3, 64}));
  for (const char* flag : {"--save_a", "--save_b", "--json"}) {
    for (const std::string& input : {features, b_ + "/deep/1.jpg"}) {
      const std::string before = read_text(input);
      EXPECT_NE(failure({features, b_, "--features", "64", flag, input}, 2)
                    .find("would overwrite its own input"),
                std::string::npos)
          << flag;
      EXPECT_EQ(read_text(input), before);
    }
  }
}

TEST_F(MeasureFid, AFolderOfUnreadableImagesIsOneError) {
  for (int i = 0; i < 3; ++i) {
    fs::create_directories(folder_ / "broken");
    std::ofstream(folder_ / ("broken/" + std::to_string(i) + ".png")) << "x";
  }
  const ToolResult result = measure({(folder_ / "broken").string(), b_, "--features", "64"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("none of the 3 images can be read"), std::string::npos)
      << result.output;
  EXPECT_FALSE(fs::exists(folder_ / "cache") && !fs::is_empty(folder_ / "cache"));
}

TEST_F(MeasureFid, FeaturesOfAnotherRangeOrNetworkAreNotCompared) {
  const std::string kept = (folder_ / "a.safetensors").string();
  ASSERT_EQ(measure_images({"--save_a", kept}).exit_code, 0);
  const ToolResult range = measure({kept, b_, "--features", "64", "--range", "paper"});
  EXPECT_EQ(range.exit_code, 1);
  EXPECT_NE(range.output.find("another range: [0,255] and [127,255]"), std::string::npos)
      << range.output;
  const ToolResult width = measure({kept, b_, "--features", "192"});
  EXPECT_EQ(width.exit_code, 1);
  EXPECT_NE(width.output.find("has 64 features an image"), std::string::npos) << width.output;
  Checkpoint file = read_checkpoint(kept);
  file.metadata["network_hash"] = std::string(64, '0');
  write_safetensors(kept, file.tensors, file.metadata);
  const ToolResult network = measure({kept, b_, "--features", "64"});
  EXPECT_EQ(network.exit_code, 1);
  EXPECT_NE(network.output.find("another network"), std::string::npos) << network.output;
}

// Subset after subset may take long; the first signal is not to be waited for.
TEST_F(MeasureFid, AnInterruptEndsTheSubsets) {
  Generator random(1);
  const std::string a = write_features("a.safetensors", random.normal({60, 8}, 0, 1)),
                    b = write_features("b.safetensors", random.normal({60, 8}, 0, 1));
  const std::string kept = folder_ / "kept.safetensors", json = folder_ / "figures.json";
  const ToolResult result =
      run_tool("measure_fid",
               {a, b, "--subsets", "1000000", "--subset_size", "50", "--save_a", kept, "--json",
                json, "--no_cache", "--device", "cpu"},
               [&] { return fs::exists(kept); });
  EXPECT_EQ(result.exit_code, 130) << result.output;
  EXPECT_EQ(result.output, "interrupted; there are no figures, features that were kept stay\n");
  EXPECT_FALSE(fs::exists(json));
}

}  // namespace
}  // namespace gestalt::tests
