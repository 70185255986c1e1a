#pragma once

#include <string>

namespace gestalt::tools {

// "gestalt 0.1.0" and what was built in: what --version prints, and config.json holds.
std::string version_text();

}  // namespace gestalt::tools
