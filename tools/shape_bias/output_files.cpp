#include "tools/shape_bias/output_files.h"

#include <nlohmann/json.hpp>

#include "eval/decisions.h"
#include "kernels/error.h"
#include "tensor/io/atomic_file.h"
#include "tools/common/json_file.h"
#include "tools/common/output.h"
#include "tools/common/utf8.h"
#include "tools/shape_bias/observer_names.h"

namespace gestalt::tools {

namespace fs = std::filesystem;

namespace {

fs::path lock_of(const fs::path& folder, const fs::path& csv_name) {
  return unfinished_folder(folder) / (csv_name.string() + ".lock");
}

// Empty where all are the subject's own. What is damaged is told where it is needed.
std::string other_observer_in(const fs::path& csv, const std::string& subject,
                              const eval::Categories& categories) {
  if (!fs::exists(csv)) return {};
  try {
    for (const eval::Decision& decision : eval::read_decisions(csv, categories)) {
      if (decision.subject != subject) return decision.subject;
    }
  } catch (const Error&) {
  }
  return {};
}

}  // namespace

fs::path unfinished_folder(const fs::path& folder) {
  return folder / ".unfinished";
}

fs::path image_hashes_file(const fs::path& csv) {
  return fs::path(csv).replace_extension(".images.json");
}

ImageHashes read_image_hashes(const fs::path& csv) {
  const fs::path path = image_hashes_file(csv);
  const nlohmann::json json = read_json(path);
  if (json.is_null()) return {};
  GESTALT_CHECK(json.is_object(), "'{}' is damaged", path.string());
  ImageHashes hashes;
  for (const auto& [image, hash] : json.items()) {
    GESTALT_CHECK(hash.is_string(), "'{}' is damaged: '{}'", path.string(), image);
    hashes[image] = hash;
  }
  return hashes;
}

void write_image_hashes(const fs::path& csv, const ImageHashes& hashes) {
  write_text(image_hashes_file(csv), as_utf8_json(nlohmann::json(hashes)).dump(1) + "\n");
}

void remove_decisions(const fs::path& csv) {
  fs::remove(csv);
  fs::remove(image_hashes_file(csv));
}

OutputFiles::OutputFiles(fs::path folder, const std::vector<std::string>& subjects)
    : folder_(std::move(folder)), subjects_(subjects) {
  try {
    for (const std::string& subject : subjects_) {
      locks_.emplace_back(csv(subject), lock_of(folder_, decisions_file(subject)));
    }
  } catch (const Error&) {
    std::error_code not_empty;
    locks_.clear();
    fs::remove(unfinished_folder(folder_), not_empty);
    throw;
  }
  for (const fs::path& each : {folder_, unfinished_folder(folder_)}) remove_leftovers(each);
}

OutputFiles::~OutputFiles() {
  locks_.clear();
  std::error_code not_empty;
  fs::remove(unfinished_folder(folder_), not_empty);
}

fs::path OutputFiles::csv(const std::string& subject) const {
  return folder_ / decisions_file(subject);
}

void OutputFiles::check_observers(const eval::Categories& categories) const {
  for (const std::string& subject : subjects_) {
    const fs::path file = csv(subject);
    for (const fs::path& path : {file, unfinished_folder(folder_) / file.filename()}) {
      const std::string other = other_observer_in(path, subject, categories);
      GESTALT_CHECK(other.empty(),
                    "'{}' holds the decisions of observer '{}', not of '{}': give another --name "
                    "or --output",
                    path.string(), other, subject);
    }
  }
}

void OutputFiles::remove() const {
  std::vector<fs::path> unfinished;
  for (const fs::directory_entry& each : fs::directory_iterator(unfinished_folder(folder_))) {
    if (each.path().extension() == ".csv") unfinished.push_back(each.path());
  }
  for (const std::string& subject : subjects_) {
    remove_decisions(csv(subject));
    remove_decisions(unfinished_folder(folder_) / decisions_file(subject));
  }
  for (const fs::path& path : unfinished) {
    if (!fs::exists(path)) continue;  // it was one of those
    try {
      const FileLock lock(path, lock_of(folder_, path.filename()));
      remove_decisions(path);
    } catch (const Error&) {  // another process is at it
    }
  }
}

}  // namespace gestalt::tools
