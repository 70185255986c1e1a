// shape_bias as a user runs it.

#include <cstring>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/encode.h"
#include "tensor/io/atomic_file.h"
#include "tests/source_folder.h"
#include "tests/tools/hashes.h"
#include "tests/tools/run_tool.h"
#include "tools/common/json_file.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

std::string fixture(const std::string& name = "") {
  return (source_folder() / "tests/fixtures/decisions" / name).string();
}

const std::vector<std::string> fixture_files = {
    fixture("cue-conflict_net-normal_session-1.csv"),
    fixture("cue-conflict_net-topK-10_session-1.csv"),
    fixture("cue-conflict_subject-01_session_1.csv"),
    fixture("cue-conflict_subject-02_session_1.csv"),
};

ToolResult shape_bias(const std::string& command, const std::vector<std::string>& csv,
                      const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {command, "--csv"};
  arguments.insert(arguments.end(), csv.begin(), csv.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_tool("shape_bias", arguments);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ShapeBiasTool, SummarizesAFolder) {
  const TemporaryFolder folder;
  const std::string json_path = (folder / "out.json").string();
  const ToolResult result = shape_bias("summarize", {fixture()}, {"--json", json_path});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_TRUE(contains(result.output, "net_normal")) << result.output;
  EXPECT_TRUE(contains(result.output, "warning: guesser: hit rate 0.146")) << result.output;
  const auto json = tools::read_json(json_path);
  const auto expected = tools::read_json(fixture("expected.json"));
  for (const auto& [name, numbers] : expected["observers"].items()) {
    EXPECT_EQ(json["observers"][name]["shape"], numbers["shape"]) << name;
    EXPECT_EQ(json["observers"][name]["per_category"].size(), 16u) << name;
  }
}

TEST(ShapeBiasTool, BadInputIsOneLineAndNothingIsWritten) {
  const TemporaryFolder folder;
  const std::string out = (folder / "out.json").string(), bad = (folder / "bad.csv").string();
  const std::pair<std::string, std::string> cases[] = {
      {"subj,session,trial,rt,object_response,category,condition,imagename\n"
       "x,1,1,NaN,zebra,cat,NaN,cat1-dog1.png\n",
       "line 2: unknown response 'zebra'"},
      {"subj,session,trial,rt,category,condition,imagename\nx,1,1,NaN,cat,NaN,cat1-dog1.png\n",
       "missing columns: object_response"},
  };
  for (const auto& [text, reason] : cases) {
    write_file_atomically(bad, text.data(), text.size());
    for (const std::string command : {"summarize", "plot", "report"}) {
      const std::string flag = command == "summarize" ? "--json" : "--out";
      const std::string file = command == "plot" ? out + ".svg" : out;
      const ToolResult result = shape_bias(command, {bad}, {flag, file});
      EXPECT_EQ(result.exit_code, 1) << command;
      EXPECT_TRUE(contains(result.output, "bad.csv': " + reason)) << command << result.output;
      EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1)
          << command << result.output;
      EXPECT_FALSE(fs::exists(file)) << command;
    }
  }
  EXPECT_EQ(run_tool("shape_bias", {"summarize"}).exit_code, 2);
  EXPECT_EQ(run_tool("shape_bias", {}).exit_code, 2);
}

TEST(ShapeBiasTool, NoCommandWritesOverWhatItReads) {
  const TemporaryFolder folder;
  const fs::path copy = folder / "copy.csv";
  fs::copy_file(fixture_files[0], copy);
  fs::permissions(copy, fs::perms::owner_read | fs::perms::owner_write);
  const std::string before = read_text(copy);
  for (const std::string command : {"summarize", "plot", "report"}) {
    const std::string flag = command == "summarize" ? "--json" : "--out";
    for (const fs::path& input : {copy, fs::path(folder / ".")}) {
      const ToolResult result = shape_bias(command, {input}, {flag, copy});
      EXPECT_EQ(result.exit_code, 2) << command;
      EXPECT_TRUE(contains(result.output, "would overwrite its own input")) << result.output;
    }
  }
  EXPECT_EQ(read_text(copy), before);
}

class Pictures : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  }
  TemporaryFolder folder_;
};

// Pixels that are neither grey nor white.
int64_t coloured(const data::Image& image) {
  int64_t count = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    const auto [low, high] =
        std::minmax({image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]});
    count += high - low > 60;
  }
  return count;
}

TEST_F(Pictures, EveryKindIsDrawnAndItsScriptStays) {
  const std::string style = (folder_ / "style.json").string();
  const std::string text = R"({"dots_per_inch": 100, "width": 3})";
  write_file_atomically(style, text.data(), text.size());
  for (const std::string kind : {"figure", "box", "ablation"}) {
    const fs::path picture = folder_ / (kind + ".png");
    const ToolResult result = shape_bias(
        "plot", fixture_files, {"--kind", kind, "--style", style, "--out", picture.string()});
    ASSERT_EQ(result.exit_code, 0) << result.output;
    const data::Image image = data::decode_image(picture);
    EXPECT_EQ(image.width, 300) << kind;
    EXPECT_GT(coloured(image), 200) << kind;
    EXPECT_TRUE(fs::exists(folder_ / (kind + ".png.gp")));
  }
}

TEST_F(Pictures, OfTwoFormatsHaveAScriptEach) {
  for (const std::string name : {"box.png", "box.pdf"}) {
    const ToolResult result =
        shape_bias("plot", fixture_files, {"--kind", "box", "--out", (folder_ / name).string()});
    ASSERT_EQ(result.exit_code, 0) << result.output;
  }
  EXPECT_TRUE(contains(read_text(folder_ / "box.png.gp"), "set output \"box.png\""));
  EXPECT_TRUE(contains(read_text(folder_ / "box.pdf.gp"), "set output \"box.pdf\""));
}

// The fixture's files with another name of the network, as long as evaluate's may be.
std::vector<std::string> renamed(const std::string& network, const fs::path& folder) {
  std::vector<std::string> files = {fixture_files[2]};
  for (const std::string& file : {fixture_files[0], fixture_files[1]}) {
    std::string text = read_text(file);
    for (size_t at = text.find("net_"); at != std::string::npos; at = text.find("net_", at)) {
      text.replace(at, std::strlen("net_"), network);
      at += network.size();
    }
    files.push_back((folder / fs::path(file).filename()).string());
    write_file_atomically(files.back(), text.data(), text.size());
  }
  return files;
}

bool has_white_border(const data::Image& image) {
  constexpr int border = 3;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const bool is_inside =
          y >= border && y < image.height - border && x >= border && x < image.width - border;
      const uint8_t* pixel = &image.pixels[3 * static_cast<size_t>(y * image.width + x)];
      if (!is_inside && *std::min_element(pixel, pixel + 3) < 255) return false;
    }
  }
  return true;
}

TEST_F(Pictures, NoNameIsCut) {
  const std::string style = (folder_ / "style.json").string();
  for (const std::string network : {"net_", "AlexNet_untrained_features.12_reverse_",
                                    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW_"}) {
    const std::vector<std::string> files = renamed(network, folder_.path());
    for (const std::string font_size : {"7", "12"}) {
      const std::string text = R"({"font_size": )" + font_size + "}";
      write_file_atomically(style, text.data(), text.size());
      for (const std::string kind : {"figure", "box", "ablation"}) {
        const fs::path picture = folder_ / (kind + ".png");
        const ToolResult result = shape_bias(
            "plot", files, {"--kind", kind, "--style", style, "--out", picture.string()});
        ASSERT_EQ(result.exit_code, 0) << result.output;
        EXPECT_TRUE(has_white_border(data::decode_image(picture)))
            << network << " " << kind << " " << font_size;
      }
    }
  }
}

// gnuplot takes what stands in backquotes for a command; names are whoever's made the CSV.
TEST_F(Pictures, NamesOfOthersAreNeverRun) {
  const fs::path trap = folder_ / "run_by_gnuplot";
  const std::vector<std::string> files = renamed("`touch " + trap.string() + "`_", folder_.path());
  for (const std::string kind : {"figure", "box", "ablation"}) {
    const ToolResult result =
        shape_bias("plot", files, {"--kind", kind, "--out", (folder_ / (kind + ".svg")).string()});
    ASSERT_EQ(result.exit_code, 0) << result.output;
    EXPECT_FALSE(fs::exists(trap)) << kind;
  }
}

TEST_F(Pictures, SvgAndPdf) {
  for (const std::string extension : {"svg", "pdf"}) {
    const fs::path picture = folder_ / ("figure." + extension);
    const ToolResult result = shape_bias("plot", fixture_files, {"-o", picture.string()});
    ASSERT_EQ(result.exit_code, 0) << result.output;
    const std::string text = read_text(picture);
    EXPECT_TRUE(text.starts_with(extension == "svg" ? "<?xml" : "%PDF")) << text.substr(0, 20);
    EXPECT_GT(text.size(), 5000u);
  }
}

TEST_F(Pictures, APdfRenders) {
  if (std::system("gs --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no Ghostscript";
  const fs::path pdf = folder_ / "figure.pdf", png = folder_ / "page.png";
  ASSERT_EQ(shape_bias("plot", fixture_files, {"--out", pdf.string()}).exit_code, 0);
  const std::string command =
      "gs -q -dNOPAUSE -dBATCH -dSAFER -sDEVICE=png16m -r100 -sOutputFile=" + png.string() + " " +
      pdf.string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_GT(coloured(data::decode_image(png)), 200);
}

TEST_F(Pictures, AFailedDrawingLeavesThePictureThatWasThere) {
  const std::string text = "#!/bin/sh\necho half > figure.svg\nexit 1\n";
  fs::create_directories(folder_ / "bin");
  write_file_atomically(folder_ / "bin/gnuplot", text.data(), text.size());
  fs::permissions(folder_ / "bin/gnuplot", fs::perms::owner_all);
  fs::create_directories(folder_ / "out");
  const fs::path picture = folder_ / "out/figure.svg", script = folder_ / "out/figure.svg.gp";
  const std::vector<std::string> out = {"--out", picture.string()};
  ASSERT_EQ(shape_bias("plot", fixture_files, out).exit_code, 0);
  const std::string good = read_text(picture);

  const std::string path = std::getenv("PATH");
  setenv("PATH", ((folder_ / "bin").string() + ":" + path).c_str(), 1);
  const ToolResult result = shape_bias("plot", fixture_files, out);
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.output, "figure.svg' was not drawn")) << result.output;
  EXPECT_EQ(read_text(picture), good);
  const auto files = fs::directory_iterator(folder_ / "out");
  EXPECT_EQ(std::distance(files, fs::directory_iterator()), 2);  // the picture and its script

  fs::remove(picture);
  const std::string again = "cd " + script.parent_path().string() + " && gnuplot figure.svg.gp";
  ASSERT_EQ(std::system(again.c_str()), 0);
  EXPECT_EQ(read_text(picture), good);
}

TEST_F(Pictures, BadRequestsAreNamed) {
  const auto message = [&](std::vector<std::string> more) {
    const ToolResult result = shape_bias("plot", {fixture_files[0]}, more);
    EXPECT_EQ(result.exit_code, 1) << result.output;
    return result.output;
  };
  const std::string out = (folder_ / "a.png").string();
  EXPECT_TRUE(contains(message({"--out", (folder_ / "a.bmp").string()}), "not '.bmp'"));
  EXPECT_TRUE(contains(message({"--out", out, "--kind", "ablation"}), "two sparsities"));
  const std::string style = (folder_ / "style.json").string();
  for (const auto& [text, reason] : std::vector<std::pair<std::string, std::string>>{
           {R"({"colour": "#000000"})", "unknown key 'colour'"},
           {R"({"colors": ["red"]})", "colour 'red' is not of the form #rrggbb"},
           {R"({"markers": ["heart"]})", "unknown marker 'heart'"},
           {R"({"width": 0})", "'width' must be above 0"}}) {
    write_file_atomically(style, text.data(), text.size());
    const std::string output = message({"--out", out, "--style", style});
    EXPECT_TRUE(contains(output, reason)) << output;
  }
  EXPECT_FALSE(fs::exists(out));
}

// Side by side long names would make the table wider than the page.
TEST_F(Pictures, ManyObserversOfAReportHaveUprightHeadsAndEveryFigure) {
  const std::string upright = "<table class=\"upright\">",
                    dense = "<table class=\"upright dense\">";
  const auto html_of = [&](int observers) {
    const std::string decisions = read_text(fixture("cue-conflict_net-normal_session-1.csv"));
    std::vector<std::string> files = {fixture("cue-conflict_subject-01_session_1.csv")};
    for (int i = 1; i < observers; ++i) {
      const std::string name = "some_network_" + std::to_string(i);
      std::string text;
      for (size_t at = 0, found = 0; found != std::string::npos; at = found + 10) {
        found = decisions.find("net_normal", at);
        text += decisions.substr(at, found - at) + (found == std::string::npos ? "" : name);
      }
      files.push_back((folder_ / (name + ".csv")).string());
      write_file_atomically(files.back(), text.data(), text.size());
    }
    const fs::path page = folder_ / "many.html";
    const ToolResult result = shape_bias("report", files, {"--out", page.string()});
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return read_text(page);
  };
  const std::string few = html_of(3), several = html_of(9), many = html_of(16);
  EXPECT_FALSE(contains(few, "class=\"upright"));
  EXPECT_TRUE(contains(several, upright) && !contains(several, dense));
  EXPECT_TRUE(contains(many, dense));
  EXPECT_TRUE(contains(many, "<th scope=\"col\"><span>some_network_15</span></th>"));
  // Networks with the same decisions; 16 rows of 16 figures.
  const std::string kappa = many.substr(many.find("Error consistency"));
  const std::string table = kappa.substr(0, kappa.find("</table>"));
  EXPECT_TRUE(contains(table, "<td class=\"kappa\" style=\"--kappa:1.00\">1.000</td>"));
  size_t cells = 0;
  for (size_t at = table.find("<td"); at != std::string::npos; at = table.find("<td", at + 1)) {
    ++cells;
  }
  EXPECT_EQ(cells, 16u * 16u);
}

TEST_F(Pictures, ReportTakesExamplesFromAFolderOrAPackedFile) {
  const fs::path stimuli = folder_ / "stimuli";
  const std::vector<std::string> names = {"airplane0-bear1", "bear1-bicycle2", "boat4-bottle2"};
  for (size_t i = 0; i < names.size(); ++i) {
    const fs::path class_folder =
        stimuli / names[i].substr(0, names[i].find_first_of("0123456789"));
    fs::create_directories(class_folder);
    data::Image image(40, 48);
    for (size_t k = 0; k < image.pixels.size(); ++k) {
      image.pixels[k] = static_cast<uint8_t>(k * (i + 2) / 3);
    }
    data::save_image(class_folder / (names[i] + ".png"), image);
  }
  const fs::path packed = folder_ / "stimuli.packed";
  ASSERT_EQ(run_tool("pack_images", {stimuli, packed, "--resize", "none"}).exit_code, 0);
  const auto examples = [&](const fs::path& data) {
    const fs::path page = folder_ / "page.html";
    const ToolResult result =
        shape_bias("report", fixture_files, {"--data", data.string(), "--out", page.string()});
    EXPECT_EQ(result.exit_code, 0) << result.output;
    const std::string html = read_text(page);
    std::vector<std::string> pictures;
    const std::string start = "data:image/jpeg;base64,";
    for (size_t at = html.find(start); at != std::string::npos; at = html.find(start, at + 1)) {
      pictures.push_back(html.substr(at, html.find('"', at) - at));
    }
    return pictures;
  };
  const std::vector<std::string> of_folder = examples(stimuli);
  EXPECT_EQ(of_folder.size(), 3u);
  EXPECT_EQ(examples(packed), of_folder);
}

TEST(ShapeBiasTool, AReportWritesOverNoStimulus) {
  const TemporaryFolder folder;
  const fs::path stimulus = folder / "stimuli/cat/cat1-dog1.png";
  fs::create_directories(stimulus.parent_path());
  data::save_image(stimulus, data::Image(224, 224));
  const std::string before = read_text(stimulus);
  const ToolResult result =
      shape_bias("report", fixture_files,
                 {"--data", (folder / "stimuli").string(), "--out", stimulus.string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.output, "would overwrite its own input")) << result.output;
  EXPECT_EQ(read_text(stimulus), before);
}

// As evaluate leaves it beside its files.
TEST_F(Pictures, ReportTellsOfTheNetworkWithoutEveryStimulusName) {
  const fs::path decisions = folder_ / "net.csv", page = folder_ / "report.html";
  fs::copy_file(fixture_files[0], decisions);
  const nlohmann::json config = {
      {"tool", "shape_bias evaluate"},
      {"version", "gestalt 7.8.9"},
      {"device", "cuda:5"},
      {"settings",
       {{"model", "lenet"},
        {"stimuli", {"cat77-dog77.png", "dog77-cat77.png"}},
        {"categories", {{"cat", {281987, 282987}}, {"dog", {151987}}, {"bear", {294987}}}}}}};
  const std::string text = config.dump();
  write_file_atomically(folder_ / "config.json", text.data(), text.size());
  const ToolResult result = shape_bias("report", {decisions.string()}, {"--out", page.string()});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const std::string html = read_text(page);
  for (const char* part :
       {"lenet", "gestalt 7.8.9", "cuda:5", "&quot;stimuli&quot;:2", "&quot;categories&quot;:3"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  for (const char* part : {"cat77", "281987"}) EXPECT_FALSE(contains(html, part)) << part;
}

TEST_F(Pictures, ReportIsOnePageWithEverythingInIt) {
  const fs::path page = folder_ / "report.html";
  const ToolResult result = shape_bias("report", fixture_files, {"--out", page.string()});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const std::string html = read_text(page);
  for (const char* part :
       {"<!DOCTYPE html>", "data:image/svg+xml;base64,", "alt=\"Mean shape bias", "0.6857",
        "Error consistency", "shape_bias report", "prefers-color-scheme"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  for (const char* link : {"http://", "https://", "src=\"/", "href="}) {
    EXPECT_FALSE(contains(html, link)) << link;
  }
  GESTALT_NEEDS_HASHES();
  EXPECT_TRUE(contains(html, "SHA-256"));
}

}  // namespace
}  // namespace gestalt::tests
