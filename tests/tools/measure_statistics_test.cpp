// measure_fid with statistics in a set's place.

#include <cmath>

#include "tensor/io/npy.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"
#include "tests/tools/measure_fid_fixture.h"

namespace gestalt::tests {
namespace {

TEST_F(MeasureFid, StatisticsTakeTheFeaturesPlace) {
  Generator generator(3);
  const Tensor values = generator.normal({40, 6}), others = generator.normal({30, 6}) + 0.5;
  const std::string a = write_features("a.safetensors", values);
  const std::string b = write_features("b.safetensors", others);
  const std::string few = write_features("few.safetensors", narrow(values, 0, 0, 4));
  const auto path = [&](const char* name) { return (folder_ / name).string(); };
  const std::string a_npz = path("a.npz"), b_npz = path("b.npz"), few_npz = path("few.npz");
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--json", path("figures.json")});
    const ToolResult result = measure(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return std::pair(tools::read_json(path("figures.json"))["results"][0], result.output);
  };
  const auto fid = [&](const std::vector<std::string>& arguments) {
    return run(arguments).first["fid"]["value"].get<double>();
  };
  const double of_features = fid({a, b, "--save_a", a_npz, "--save_b", b_npz});
  const double of_few = fid({few, b, "--save_a", few_npz});
  // As pytorch-fid keeps them.
  const StateDict arrays = load_npz(a_npz);
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(arrays[0].name, "mu");
  EXPECT_EQ(arrays[1].name, "sigma");
  EXPECT_EQ(arrays[1].tensor.dtype(), DType::f64);
  EXPECT_EQ(arrays[1].tensor.shape(), (Shape{6, 6}));

  const auto [figures, text] = run({a, b_npz});
  EXPECT_NEAR(figures["fid"]["value"].get<double>() / of_features, 1, 1e-9);
  EXPECT_TRUE(figures["kid"].is_null());
  EXPECT_EQ(figures["images"], json::array({40, nullptr}));
  EXPECT_EQ(figures["origin_known"], false);
  EXPECT_EQ(figures["network"]["weights"], "not told");
  EXPECT_EQ(figures["features"], 6);
  EXPECT_NE(text.find("\nKID(6): none, it needs the features of both sets, not statistics\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("resize not told; range not told; N 40 against not told; network not told"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("a file of statistics does not tell how they were made, nor of how many"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("warning"), std::string::npos) << text;
  EXPECT_NEAR(fid({a_npz, b}) / of_features, 1, 1e-9);
  EXPECT_NEAR(fid({a_npz, b_npz}) / of_features, 1, 1e-9);
  EXPECT_NEAR(fid({few_npz, b}) / of_few, 1, 1e-6);
  const auto [figures_of_few, text_of_few] = run({few, b_npz});
  EXPECT_NEAR(figures_of_few["fid"]["value"].get<double>() / of_few, 1, 1e-6);
  EXPECT_NE(text_of_few.find("warning: a set of 4 images says little\n"), std::string::npos)
      << text_of_few;
  EXPECT_EQ(fid({a_npz, a_npz}), 0);
  // Nothing is to be kept of two such files.
  const ToolResult both = run_tool("measure_fid", {a_npz, b_npz, "--cache", path("none")});
  EXPECT_EQ(both.exit_code, 0) << both.output;
  EXPECT_FALSE(fs::exists(path("none")));
}

TEST_F(MeasureFid, StatisticsOfImagesStandForThem) {
  const std::string statistics = (folder_ / "b.npz").string(), file = folder_ / "figures.json";
  ASSERT_EQ(measure_images({"--save_b", statistics, "--json", file}).exit_code, 0);
  const double of_images = tools::read_json(file)["results"][0]["fid"]["value"].get<double>();
  const ToolResult result = measure({a_, statistics, "--features", "64", "--json", file});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const json figures = tools::read_json(file)["results"][0];
  EXPECT_NEAR(figures["fid"]["value"].get<double>() / of_images, 1, 1e-6);
  EXPECT_EQ(figures["fid"]["name"], "FID(64, untrained)");
  EXPECT_EQ(figures["images"], json::array({5, nullptr}));
  EXPECT_EQ(figures["origin_known"], false);
}

TEST_F(MeasureFid, StatisticsThatAreNoneAreNamed) {
  const std::string good = (folder_ / "good.npz").string(), bad = (folder_ / "bad.npz").string();
  const Tensor mu = Tensor::zeros({2}, {DType::f64});
  const auto sigma = [](std::vector<double> values) { return Tensor::from_vector(values, {2, 2}); };
  const auto write = [](const std::string& path, const std::vector<NamedTensor>& arrays) {
    save_npz(path, arrays);
  };
  write(good, {{"mu", mu}, {"sigma", sigma({2, 1, 1, 2})}});
  const auto says = [&](const std::vector<NamedTensor>& arrays, const std::string& reason) {
    write(bad, arrays);
    EXPECT_EQ(failure({bad, good}), "measure_fid: cannot read '" + bad + "': " + reason + "\n");
  };
  const std::string expected =
      "expected an archive with the statistics 'mu' [D] and 'sigma' [D,D], it has no ";
  says({{"arr_0", mu}}, expected + "'mu'");
  says({{"mu", mu}}, expected + "'sigma'");
  says({{"mu", sigma({0, 0, 0, 0})}, {"sigma", sigma({2, 1, 1, 2})}},
       "expected 'mu' to be [D] of f32 or f64, it is f64[2,2]");
  says({{"mu", mu.to(DType::i64)}, {"sigma", sigma({2, 1, 1, 2})}},
       "expected 'mu' to be [D] of f32 or f64, it is i64[2]");
  says({{"mu", Tensor::zeros({3})}, {"sigma", sigma({2, 1, 1, 2})}},
       "[frechet] expected a mean [d] and a covariance [d,d], got f32[3] and f64[2,2]");
  says({{"mu", mu}, {"sigma", sigma({2, NAN, 1, 2})}},
       "[frechet] a covariance with values that are not finite");
  says({{"mu", mu}, {"sigma", sigma({2, 1, 0, 2})}},
       "[frechet] a covariance that is not symmetric: 0 at [1,0], 1 at [0,1]");

  const std::string features = write_features("f.safetensors", Tensor::ones({5, 3}));
  EXPECT_NE(failure({good, features}).find("has 2 features an image, '"), std::string::npos);
  EXPECT_NE(failure({a_, good, "--features", "64"}).find("has 2 features an image, '"),
            std::string::npos);
  EXPECT_NE(failure({good, good, "--save_a", bad}, 2)
                .find("--save_a: '" + good + "' holds statistics already, and no features"),
            std::string::npos);
  EXPECT_NE(failure({a_, good, "--range", "both"}, 2).find("holds statistics of one range"),
            std::string::npos);
  EXPECT_NE(failure({features, good, "--save_a", good}, 2).find("would overwrite its own input"),
            std::string::npos);
  fs::resize_file(good, fs::file_size(good) - 1);
  EXPECT_NE(failure({good, good}).find("good.npz': truncated or damaged zip archive"),
            std::string::npos);
}

}  // namespace
}  // namespace gestalt::tests
