# Options, compiler flags, and the libraries that were found.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

option(GESTALT_BUILD_TESTS "Build the tests" ON)
option(GESTALT_BUILD_BENCHMARKS "Build the benchmarks" ON)
option(GESTALT_TEST_RESOURCES "Build test_resources, which compiles each CUDA kernel twice more" ON)
option(GESTALT_TEST_SIMT "Build the CUDA kernels for the SIMT executor on the host, and their tests" ON)
option(GESTALT_SANITIZE "Address and undefined-behaviour sanitizers" OFF)
option(GESTALT_FUZZ "Build the libFuzzer targets of tests/fuzz; needs clang" OFF)
option(GESTALT_WERROR "Treat warnings as errors" OFF)
set(GESTALT_CUDA AUTO CACHE STRING "CUDA backend: AUTO (where nvcc and cuDNN are found), ON, OFF")
set(GESTALT_CUDA_ARCHITECTURES "75-real;80-real;90" CACHE STRING
    "CUDA architectures; the last one also as PTX for chips newer than the list")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
# Makefiles would wait for all of kernels/, whose longest file takes minutes, before they compile
# what links it.
set(CMAKE_OPTIMIZE_DEPENDENCIES ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

# On x86, x86-64-v3 (AVX2, FMA, F16C) is the baseline; AVX-512 code stands in files of its own and is
# chosen at run time. Elsewhere the compiler's own. No contraction: a*b+c rounds twice unless the
# source says fma, so that resampling and line searches give the same bits as the programs they must
# agree with.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra>
                    $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
set(GESTALT_X86 OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(GESTALT_X86 ON)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v3>)
endif()
if(GESTALT_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(GESTALT_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=address,undefined)
endif()

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
find_package(onednn QUIET MODULE)
find_package(nlohmann_json QUIET)
find_package(CLI11 QUIET)
find_package(spdlog QUIET)
find_package(OpenCV QUIET COMPONENTS core imgproc imgcodecs)
find_package(JPEG QUIET)
find_package(PNG QUIET)
find_package(TIFF QUIET)
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(libzip QUIET IMPORTED_TARGET libzip)
  pkg_check_modules(libcrypto QUIET IMPORTED_TARGET libcrypto)
  pkg_check_modules(lapack QUIET IMPORTED_TARGET lapacke openblas)
endif()

# gestalt_part(NAME "what the build lacks without it" libraries...): GESTALT_WITH_NAME, ON where all
# of the libraries were found; elsewhere the configuration says what is missing and what that costs.
function(gestalt_part name cost)
  set(missing)
  foreach(library ${ARGN})
    if(NOT ${library}_FOUND)
      list(APPEND missing ${library})
    endif()
  endforeach()
  if(missing)
    list(JOIN missing ", " missing)
    message(STATUS "gestalt: without ${missing}: ${cost}")
    set(GESTALT_WITH_${name} OFF PARENT_SCOPE)
  else()
    set(GESTALT_WITH_${name} ON PARENT_SCOPE)
  endif()
endfunction()
gestalt_part(ONEDNN "slow convolution and matrix products on the CPU" onednn)
gestalt_part(JSON "no safetensors files" nlohmann_json)
gestalt_part(LIBZIP "no weights in PyTorch's zip archives" libzip)
gestalt_part(OPENSSL "well-known weights files are not named by their hash" libcrypto)
gestalt_part(OPENCV "no image files" OpenCV JPEG PNG TIFF)
gestalt_part(EVAL "no metrics, figures and reports" nlohmann_json lapack)
gestalt_part(TOOLS "no tools but doctor" OpenCV JPEG PNG TIFF CLI11 nlohmann_json spdlog lapack)

include(GestaltCuda)  # GESTALT_WITH_CUDA

message(STATUS "gestalt: CUDA ${GESTALT_WITH_CUDA}, oneDNN ${GESTALT_WITH_ONEDNN}, "
               "OpenCV ${GESTALT_WITH_OPENCV}, tools ${GESTALT_WITH_TOOLS}")
