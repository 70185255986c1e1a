#pragma once

// What a call says that must fail.

#include <string>

#include "kernels/error.h"

namespace gestalt::tests {

// The message of the Error that it throws; "" where it throws none.
template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace gestalt::tests
