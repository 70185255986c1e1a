#pragma once

// What the processor can do, asked once. AVX2, FMA and F16C are the build's baseline.

namespace gestalt::cpu {

// x86-64-v4 (AVX-512 F, BW, CD, DQ, VL), enabled by the operating system as well.
bool has_avx512();

}  // namespace gestalt::cpu
