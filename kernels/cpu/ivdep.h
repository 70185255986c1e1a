#pragma once

// GESTALT_IVDEP before a loop: no iteration writes what another reads or writes, so that they may
// run side by side as vectors, though the compiler can't see it. y may be x, element by element.

#if defined(__clang__)
#define GESTALT_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define GESTALT_IVDEP _Pragma("GCC ivdep")
#endif
