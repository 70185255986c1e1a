#include "tools/common/log.h"

#include <cstdio>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>

#include "kernels/error.h"
#include "tools/common/config.h"

namespace gestalt::tools {
namespace {

// Warnings to stderr, so that stdout has results alone; the rest to stdout.
class Console : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    std::FILE* stream = message.level < spdlog::level::warn ? stdout : stderr;
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
  }
  void flush_() override {}  // each line is
};

Logger make_logger(const std::filesystem::path& folder, const CommonOptions& common, bool append) {
  const std::string path = (folder / "log.txt").string();
  std::shared_ptr<spdlog::sinks::basic_file_sink_st> file;
  try {
    file = std::make_shared<spdlog::sinks::basic_file_sink_st>(path, !append);
  } catch (const spdlog::spdlog_ex& error) {
    throw Error(error.what());  // names the file and the reason
  }
  file->set_pattern("%Y-%m-%d %H:%M:%S %v");
  auto console = std::make_shared<Console>();
  console->set_pattern("%v");
  if (common.quiet) console->set_level(spdlog::level::warn);
  auto logger = std::make_shared<spdlog::logger>("log", spdlog::sinks_init_list{file, console});
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace

Logger begin_log(const std::filesystem::path& folder, const CommonOptions& common, bool resume,
                 const std::function<void()>& remove_earlier) {
  Logger logger = make_logger(folder, common, true);
  if (resume) return logger;
  check_not_interrupted();
  // Without a config.json of ours beside it a log.txt is a user's own.
  const bool append = tool_of_config(folder).empty();
  remove_earlier();
  return make_logger(folder, common, append);
}

}  // namespace gestalt::tools
