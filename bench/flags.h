#pragma once

// Command lines of the programs in this folder.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "kernels/threads.h"
#include "kernels/types.h"

namespace gestalt::bench {

// How a program computes.
struct Form {
  std::string device = "cpu";
  DType dtype = DType::f32;  // bf16: mixed precision
  Format format = Format::contiguous;
  bool graph = false;  // captured once and replayed
};

class Flags {
 public:
  // The numbers of threads are 2 unless --threads says otherwise.
  explicit Flags(std::string usage) : usage_(std::move(usage)) {
    add("--threads", threads_, 1, 1024);
  }

  // A whole number between these.
  void add(const std::string& name, int64_t& value, int64_t least = 1,
           int64_t most = int64_t{1} << 30) {
    with_value_[name] = [name, &value, least, most](const std::string& text) {
      value = whole_number(name, text, least, most);
    };
  }
  void add(const std::string& name, std::string& value) {
    with_value_[name] = [&value](const std::string& text) { value = text; };
  }
  // Without a value.
  void add(const std::string& name, bool& value) {
    without_value_[name] = [&value] { value = true; };
  }
  // --device DEVICE, --dtype f32|bf16, --channels_last, --graph, which `usage` need not name.
  void add(Form& form) {
    usage_ += " [--device DEVICE] [--dtype f32|bf16] [--channels_last] [--graph]";
    add("--device", form.device);
    with_value_["--dtype"] = [&form](const std::string& text) {
      GESTALT_CHECK(text == "f32" || text == "bf16", "--dtype must be f32 or bf16, got '{}'", text);
      form.dtype = parse_dtype(text);
    };
    without_value_["--channels_last"] = [&form] { form.format = Format::channels_last; };
    add("--graph", form.graph);
  }

  // main() of a program: body(the arguments that are no flags), of which there are `arguments`. The
  // exit code: 0, 1 with an error's line, 2 with a line on the command line.
  int run(int argc, char** argv, size_t arguments,
          const std::function<void(const std::vector<std::string>&)>& body) {
    std::vector<std::string> others;
    try {
      others = parse(argc, argv, arguments);
    } catch (const Error& error) {
      std::fprintf(stderr, "%s: %s (usage: %s)\n", argv[0], error.what(), usage_.c_str());
      return 2;
    }
    try {
      set_num_threads(static_cast<int>(threads_));
      body(others);
      return 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
      return 1;
    }
  }

  // `name`: what an error calls it. Throws Error.
  static int64_t whole_number(const std::string& name, const std::string& text, int64_t least,
                              int64_t most) {
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    GESTALT_CHECK(error == std::errc() && stopped == end && value >= least && value <= most,
                  "{} must be a whole number from {} to {}, got '{}'", name, least, most, text);
    return value;
  }

 private:
  std::vector<std::string> parse(int argc, char** argv, size_t arguments) {
    std::vector<std::string> others;
    for (int i = 1; i < argc; ++i) {
      const std::string text = argv[i];
      if (const auto flag = without_value_.find(text); flag != without_value_.end()) {
        flag->second();
      } else if (const auto take = with_value_.find(text); take != with_value_.end()) {
        GESTALT_CHECK(i + 1 < argc, "{} needs a value", text);
        take->second(argv[++i]);
      } else {
        GESTALT_CHECK(!text.starts_with("--"), "no flag {}", text);
        others.push_back(text);
      }
    }
    GESTALT_CHECK(others.size() == arguments, "expected {} arguments without a flag, got {}",
                  arguments, others.size());
    return others;
  }

  std::string usage_;
  std::map<std::string, std::function<void(const std::string&)>> with_value_;
  std::map<std::string, std::function<void()>> without_value_;
  int64_t threads_ = 2;
};

}  // namespace gestalt::bench
