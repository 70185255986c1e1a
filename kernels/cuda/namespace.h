#pragma once

// The namespace of launchers and device code. tests/simt compiles the same files a second time,
// with the host's compiler, and gives them another one, so that both can stand in one binary.

#ifndef GESTALT_CUDA_NAMESPACE
#define GESTALT_CUDA_NAMESPACE gestalt::cuda
#endif
