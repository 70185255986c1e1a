#include "kernels/cuda/library/libraries.h"

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

Cudnn load_cudnn() {
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
