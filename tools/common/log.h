#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <spdlog/spdlog.h>

#include "tools/common/tool.h"

namespace gestalt::tools {

using Logger = std::shared_ptr<spdlog::logger>;

// A run's log: lines with the time in FOLDER/log.txt, plain ones on the terminal (warnings alone
// where `common.quiet`). It appends where the run resumes; a new one calls `remove_earlier`, so
// that nothing of an earlier run is taken for its own, and begins anew. Throws Error where the file
// can't be opened, before anything is removed.
Logger begin_log(const std::filesystem::path& folder, const CommonOptions& common, bool resume,
                 const std::function<void()>& remove_earlier);

}  // namespace gestalt::tools
