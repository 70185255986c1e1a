#pragma once

// Numbers on the command line. CLI11 says neither what is wrong with a value nor which values a
// flag was given that is there twice.

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>
#include <system_error>

namespace gestalt::tools {

// Whether all of `text` is a number that T can hold; `value` has it then. Decimal; a plus sign may
// stand before it.
template <class T>
bool read_number(const std::string& text, T& value) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') ++begin;
  const auto [stopped, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stopped == end;
}

// Every flag of `app` and of its subcommands that takes numbers gets a check that names the value
// and what it should be. Behind the flag's own checks, whose reasons say more. Whole numbers are
// decimal: 010 is ten.
void check_numbers(CLI::App& app);

// The reason for which `app` refused its command line: CLI11's, but for a flag that came too often
// and for a number that a flag of 32 bits cannot hold.
std::string parse_error_text(const CLI::App& app, const CLI::Error& error);

}  // namespace gestalt::tools
