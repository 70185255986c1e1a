#pragma once

#include <filesystem>
#include <memory>
#include <spdlog/spdlog.h>

#include "tools/common/tool.h"

namespace gestalt::tools {

using Logger = std::shared_ptr<spdlog::logger>;

// A job's log: lines with the time in FOLDER/log.txt, plain ones on the terminal (warnings alone
// where `common.quiet`). A job that goes on appends. Throws Error where the file can't be opened.
Logger make_logger(const std::filesystem::path& folder, const CommonOptions& common, bool append);

}  // namespace gestalt::tools
