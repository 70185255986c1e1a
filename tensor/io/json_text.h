#pragma once

// JSON written without a library, for programs of builds that have none.

#include <string>
#include <string_view>

namespace gestalt {

// In quotation marks, with what JSON forbids in a string escaped.
std::string json_quoted(std::string_view text);

}  // namespace gestalt
