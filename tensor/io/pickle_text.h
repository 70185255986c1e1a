#pragma once

// Text of a pickle, as UTF-8. Throws Error for what is not well-formed (internal to tensor/io/).

#include <cstdint>
#include <string>
#include <string_view>

namespace gestalt::pickle {

// Python 2 wrote text as bytes in some opcodes; PyTorch reads them as Latin-1.
std::string latin1_to_utf8(std::string_view bytes);

// The escapes of a quoted protocol-0 string, or of a raw-unicode-escape one (\u and \U alone).
std::string unescape(std::string_view text, bool raw_unicode);

int64_t parse_integer(std::string_view text);  // decimal, all of it

}  // namespace gestalt::pickle
