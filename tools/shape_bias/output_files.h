#pragma once

// What `evaluate` leaves in its folder: for each observer a CSV file, beside it the hashes of the
// images that were decided on, and in .unfinished both of a run that was interrupted.

#include <filesystem>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "eval/categories.h"
#include "tools/common/folder_lock.h"

namespace gestalt::tools {

// Besides the locks of those who run.
std::filesystem::path unfinished_folder(const std::filesystem::path& folder);

// NAME.images.json of NAME.csv.
std::filesystem::path image_hashes_file(const std::filesystem::path& csv);

// By image name. None where there is no such file; throws Error where it is damaged.
using ImageHashes = std::map<std::string, std::string>;
ImageHashes read_image_hashes(const std::filesystem::path& csv);
void write_image_hashes(const std::filesystem::path& csv, const ImageHashes& hashes);

// With the hashes beside it.
void remove_decisions(const std::filesystem::path& csv);

// The files of these observers, as long as the object is there: other processes may write those of
// others into the folder.
class OutputFiles {
 public:
  // Throws Error where another process has one, naming both.
  OutputFiles(std::filesystem::path folder, const std::vector<std::string>& subjects);
  ~OutputFiles();  // .unfinished goes where it is empty
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;

  // Throws Error where a file holds decisions of an observer of another name, naming it: '_' and
  // '-' are one in names of files.
  void check_observers(const eval::Categories& categories) const;
  // What is finished, and all of .unfinished that no other process has.
  void remove() const;

 private:
  std::filesystem::path csv(const std::string& subject) const;

  std::filesystem::path folder_;
  std::vector<std::string> subjects_;
  std::list<FileLock> locks_;
};

}  // namespace gestalt::tools
