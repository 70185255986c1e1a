#pragma once

// For Option::check: the ranges of flags that take numbers. --help shows the range's words after
// the flag's type, and every error reads "--flag: must be WORDS, got VALUE". None takes NaN, and
// none an infinity.

#include <CLI/CLI.hpp>
#include <cstdint>

namespace gestalt::tools {

// Of whole numbers.
CLI::Validator at_least(int64_t low);  // "LOW or more"

// Of any.
CLI::Validator positive();      // "above 0 and finite"
CLI::Validator not_negative();  // "0 or more and finite"

// Which ends of a range belong to it.
enum class Ends { both, lower, upper };
// "LOW to HIGH"; "LOW or more and below HIGH"; "above LOW and up to HIGH".
CLI::Validator in_range(int64_t low, int64_t high, Ends ends = Ends::both);

// Of CPU threads, 0 for one a core: more than any machine runs at once would end in an error of the
// system's that names no flag.
CLI::Validator thread_count();

}  // namespace gestalt::tools
