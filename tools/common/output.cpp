#include "tools/common/output.h"

#include "data/image_source.h"
#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/config.h"
#include "tools/common/tool.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

// A training's folder is more than its files: it can be resumed.
void check_no_training_of_another_tool(const fs::path& folder, const std::string& tool) {
  const std::string before = tool_of_config(folder);
  if (before == tool || !before.starts_with("train_")) return;
  throw UsageError(
      format("'{}' is the folder of a run of {}, which {} would write over: give "
             "another",
             folder.string(), before, tool));
}

}  // namespace

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  GESTALT_CHECK(!error, "cannot make the folder '{}': {}", folder.string(), error.message());
}

void prepare_output_folder(const fs::path& folder, const std::string& tool) {
  if (has_foreign_config(folder)) {
    throw UsageError(format("'{}' is not of these tools: give another --output",
                            (folder / "config.json").string()));
  }
  check_no_training_of_another_tool(folder, tool);
  std::error_code error;
  fs::create_directories(folder, error);
  GESTALT_CHECK(!error, "cannot make the output folder '{}': {}", folder.string(), error.message());
  check_can_write(folder / "config.json");
}

void check_not_input(const fs::path& output, const fs::path& input) {
  std::error_code error;  // where one of them is not there, they differ
  if (fs::equivalent(output, input, error)) {
    throw UsageError(
        format("'{}' would overwrite its own input '{}'", output.string(), input.string()));
  }
}

void check_not_input(const fs::path& output, const data::ImageSource& images) {
  check_not_input(output, images.location());
  std::error_code error;
  if (!fs::exists(output, error)) return;
  for (int64_t i = 0; i < images.size(); ++i) {
    check_not_input(output, fs::path(images.location()) / images.name(i));
  }
}

bool is_within(const fs::path& path, const fs::path& folder) {
  std::error_code error;  // a path that is none is found out later
  const fs::path relative =
      fs::weakly_canonical(path, error).lexically_relative(fs::weakly_canonical(folder, error));
  return !error && !relative.empty() && *relative.begin() != "..";
}

void check_outside(const fs::path& output, const fs::path& images) {
  std::error_code ignored;
  if (!fs::is_directory(images, ignored) || !is_within(output, images)) return;
  throw UsageError(
      format("the output '{}' lies in the folder '{}', whose images are taken: give one outside",
             output.string(), images.string()));
}

void write_text(const fs::path& path, const std::string& text) {
  write_file_atomically(path, text.data(), text.size());
}

}  // namespace gestalt::tools
