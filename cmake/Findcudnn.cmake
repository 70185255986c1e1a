# cuDNN 9: cudnn_INCLUDE_DIRS and cudnn_LIBRARY_DIR; it is loaded at run time, so nothing is linked.
# Looked for in CUDNN_ROOT, in the CUDA toolkit, in system paths, and inside Python's nvidia-cudnn
# package. Asked for after find_package(CUDAToolkit).
include(PythonPackage)
find_python_package(_cudnn_python nvidia.cudnn)
set(_cudnn_hints ${CUDNN_ROOT} $ENV{CUDNN_ROOT} ${CUDAToolkit_LIBRARY_ROOT} ${CUDAToolkit_TARGET_DIR}
                 /usr/local/cuda /usr/local/cuda/targets/x86_64-linux ${_cudnn_python})
find_path(CUDNN_INCLUDE_DIR cudnn_version.h HINTS ${_cudnn_hints} PATH_SUFFIXES include)
find_library(CUDNN_LIBRARY NAMES libcudnn.so.9 cudnn HINTS ${_cudnn_hints} PATH_SUFFIXES lib lib64)

if(CUDNN_INCLUDE_DIR)
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h _lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCHLEVEL ([0-9]+).*" "\\1.\\2.\\3"
         cudnn_VERSION "${_lines}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(cudnn REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR
                                  VERSION_VAR cudnn_VERSION)
if(cudnn_FOUND)
  set(cudnn_INCLUDE_DIRS ${CUDNN_INCLUDE_DIR})
  get_filename_component(cudnn_LIBRARY_DIR ${CUDNN_LIBRARY} DIRECTORY)
endif()
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY)
