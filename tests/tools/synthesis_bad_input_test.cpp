// What synthesize_texture refuses: one line that names the thing, and nothing written.

#include <algorithm>
#include <cmath>
#include <fstream>

#include "models/registry.h"
#include "tensor/io/safetensors.h"
#include "tests/tools/synthesis_fixture.h"

namespace gestalt::tests {
namespace {

namespace fs = std::filesystem;

struct BadInput {
  const char* name;
  std::vector<std::string> flags;
  int exit_code;
  const char* message;
};

class BadInputs : public Synthesis {
 protected:
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name) << content;
    return (folder_ / name).string();
  }

  void expect_refused(const BadInput& bad) const {
    std::vector<std::string> arguments = {"-o", (folder_ / "bad").string(), "--image_size", "48"};
    const auto has = [&](const char* flag) {
      return std::find(bad.flags.begin(), bad.flags.end(), flag) != bad.flags.end();
    };
    if (has("-o") || has("--image_size")) arguments.clear();
    if (!has("--device")) arguments.insert(arguments.end(), {"--device", "cpu"});
    if (!has("-i")) arguments.insert(arguments.end(), {"-i", (folder_ / "in").string()});
    arguments.insert(arguments.end(), bad.flags.begin(), bad.flags.end());
    const ToolResult run = run_tool("synthesize_texture", arguments);
    EXPECT_EQ(run.exit_code, bad.exit_code) << bad.name << ": " << run.output;
    EXPECT_NE(run.output.find(bad.message), std::string::npos) << bad.name << ": " << run.output;
    EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
    EXPECT_FALSE(fs::exists(folder_ / "bad")) << bad.name;
  }
};

TEST_F(BadInputs, UsageIs2AndWritesNothing) {
  for (const BadInput& bad : std::vector<BadInput>{
           {"topk", {"--topk", "0"}, 2, "--topk: must be above 0 and up to 1, got 0"},
           {"topk nan", {"--topk", "nan"}, 2, "--topk: must be above 0 and up to 1, got nan"},
           {"lr", {"--lr", "inf"}, 2, "--lr: must be above 0 and finite, got inf"},
           {"steps", {"-n", "0"}, 2, "-n: must be 1 or more, got 0"},
           {"size", {"-o", "x", "--image_size", "8"}, 2, "--image_size: must be 16 to 4096"},
           {"threads", {"--threads", "-1"}, 2, "--threads: must be 0 to 1024"},
           {"seed", {"--seed", "-1"}, 2, "--seed: must be a whole number from 0"},
           {"large seed", {"--seed", "18446744073709551616"}, 2, "to 18446744073709551615, got"},
           {"device", {"--device", "tpu"}, 2, "unknown device 'tpu'"},
           {"layer",
            {"--layers", "relu9_9"},
            2,
            "--layers: no module 'relu9_9'; the network has conv1_1, "},
           {"layer twice", {"--layers", "pool1,pool1"}, 2, "'pool1' twice"},
           {"weights", {"--layer_weights", "1,2"}, 2, "has 2 values for 5 layers"},
           {"tensors", {"--save_tensors", "x"}, 2, "2 pictures need --batch_size 2"},
           {"tensors over an input",
            {"--batch_size", "2", "--save_tensors", (folder_ / "in" / "a.png").string()},
            2,
            "would overwrite its own input"},
           {"tensors over an output",
            {"--batch_size", "2", "--save_tensors", (folder_ / "bad" / "config.json").string()},
            2,
            "config.json' is a file that the run writes itself"},
           {"tensors over a picture",
            {"--batch_size", "2", "--save_tensors", (folder_ / "bad" / "seed_0_a.jpg").string()},
            2,
            "seed_0_a.jpg' is a file that the run writes itself"},
           {"too deep",
            {"-o", (folder_ / "bad").string(), "--image_size", "31", "--layers", "relu1_1,pool5"},
            2,
            "--image_size 31 is too small for the layer pool5 of --layers: it takes 32"},
           {"no effect", {"--topk", "1.", "--reverse_topk"}, 2, "which keeps everything"},
           {"flag", {"--no_such_flag"}, 2, "--no_such_flag"},
       }) {
    expect_refused(bad);
  }
}

TEST_F(BadInputs, FilesAreNamedAndNothingIsWritten) {
  const std::string lfs = file("lfs.pth",
                               "version https://git-lfs.github.com/spec/v1\n"
                               "oid sha256:0\nsize 80126000\n"),
                    page = file("page.pth", "<!DOCTYPE html><html></html>"),
                    picture = (folder_ / "in" / "a.png").string();
  fs::create_directories(folder_ / "empty");
  fs::create_directories(folder_ / "unreadable");
  file("unreadable/a.png", "a");
  file("unreadable/b.png", "b");
  const std::string long_name = file(std::string(240, 'x') + ".png", "");
  StateDict weights = models::make_model("vgg19-normalized")->state_dict();
  weights[0].tensor = Tensor::full({64, 3, 3, 3}, NAN);
  const std::string nan = (folder_ / "nan.safetensors").string(),
                    wide = (folder_ / "wide.png").string();
  data::save_image(wide, data::Image(1, data::longest_jpeg_side + 1));
  write_safetensors(nan, weights);
  for (const BadInput& bad : std::vector<BadInput>{
           {"input", {"-i", "/no/such/folder"}, 1, "/no/such/folder"},
           {"twice", {"-i", picture, "-i", picture}, 1, "is given twice"},
           {"empty", {"-i", (folder_ / "empty").string()}, 1, "the folder is empty"},
           {"no image", {"-i", page}, 1, "not an image"},
           {"no images", {"-i", (folder_ / "unreadable").string()}, 1, "none of the 2 images can"},
           {"long name", {"-i", long_name}, 1, "has too long a name for the files"},
           {"output", {"-o", "/proc/here"}, 1, "/proc/here"},
           {"lfs", {"-m", lfs}, 1, "Git LFS pointer"},
           {"html", {"-m", page}, 1, "page.pth"},
           {"missing", {"-m", "/no/weights.pth"}, 1, "/no/weights.pth"},
           {"nan", {"-m", nan}, 1, "conv1_1.weight holds values that are not finite"},
           {"wide", {"-i", wide}, 1, "wide.png' is 1x65501: a picture has at most 65500 pixels"},
           {"init", {"--init_image", nan}, 1, "has no tensor 'image', 'result' or 'initial'"},
       }) {
    expect_refused(bad);
  }
}

}  // namespace
}  // namespace gestalt::tests
