#include "kernels/cuda/library/libraries.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <string>

#include "kernels/error.h"

namespace gestalt::cuda {
namespace {

// A shared library that stays loaded.
class Library {
 public:
  Library(const char* title, const std::string& name)
      : title_(title), handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw Error(format("{} can't be loaded: {}", title, dlerror()));
  }

  template <class Function>
  void find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    GESTALT_CHECK(function != nullptr, "{} has no function {}: another version of it was loaded",
                  title_, name);
  }

 private:
  const char* title_;
  void* handle_;
};

// cuBLAS's names are macros (cublasCreate is cublasCreate_v2): expanded before they become text.
#define GESTALT_TEXT(name) #name
#define GESTALT_FIND(name) library.find(GESTALT_TEXT(name), functions.name);

// cuDNN opens these by name when it needs them, and looks only in folders relative to its own, as
// NVRTC does for its built-in headers: where neither those nor the system's paths have them, but
// the build found them elsewhere, they are found because they are open. A missing one is cuDNN's
// to report, once it has use for it.
void open_what_cudnn_opens() {
  dlopen(format("libcublasLt.so.{}", CUBLAS_VER_MAJOR).c_str(), RTLD_LAZY | RTLD_LOCAL);
  void* nvrtc =
      dlopen(format("libnvrtc.so.{}", CUDART_VERSION / 1000).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (nvrtc == nullptr) return;
  const auto version = reinterpret_cast<int (*)(int*, int*)>(dlsym(nvrtc, "nvrtcVersion"));
  int major = 0, minor = 0;
  if (version == nullptr || version(&major, &minor) != 0) return;
  dlopen(format("libnvrtc-builtins.so.{}.{}", major, minor).c_str(), RTLD_LAZY | RTLD_LOCAL);
}

Cudnn load_cudnn() {
  open_what_cudnn_opens();
  const Library library("cuDNN", format("libcudnn.so.{}", CUDNN_MAJOR));
  Cudnn functions;
  GESTALT_CUDNN_FUNCTIONS(GESTALT_FIND)
  return functions;
}

Cublas load_cublas() {
  const Library library("cuBLAS", format("libcublas.so.{}", CUBLAS_VER_MAJOR));
  Cublas functions;
  GESTALT_CUBLAS_FUNCTIONS(GESTALT_FIND)
  return functions;
}

}  // namespace

const Cudnn& cudnn() {
  static const Cudnn functions = load_cudnn();
  return functions;
}

const Cublas& cublas() {
  static const Cublas functions = load_cublas();
  return functions;
}

}  // namespace gestalt::cuda
