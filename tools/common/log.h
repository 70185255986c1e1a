#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <spdlog/spdlog.h>

#include "tools/common/tool.h"

namespace gestalt::tools {

using Logger = std::shared_ptr<spdlog::logger>;

// A run's log: lines with the time in FOLDER/log.txt, plain ones on stdout (none where
// `common.quiet`), warnings on stderr. It appends where the run resumes; a new one calls
// `remove_earlier`, so that nothing of an earlier run is taken for its own, and begins anew, but
// for a log.txt without config.json, which it appends to. Throws Error where the file can't be
// opened and Interrupted where the run was, before anything is removed.
Logger begin_log(const std::filesystem::path& folder, const CommonOptions& common, bool resume,
                 const std::function<void()>& remove_earlier);

}  // namespace gestalt::tools
