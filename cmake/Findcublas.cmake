# cuBLAS: cublas_INCLUDE_DIRS and cublas_LIBRARY_DIR; it is loaded at run time, so nothing is linked.
# The CUDA toolkit's; where that comes without libraries, Python's nvidia-cublas package's. Asked for
# after find_package(CUDAToolkit).
include(PythonPackage)
find_python_package(_cublas_python nvidia.cu13 nvidia.cublas)
set(_cublas_hints ${CUBLAS_ROOT} $ENV{CUBLAS_ROOT} ${CUDAToolkit_LIBRARY_DIR} ${_cublas_python})
find_path(CUBLAS_INCLUDE_DIR cublas_v2.h HINTS ${CUDAToolkit_INCLUDE_DIRS} ${_cublas_hints}
          PATH_SUFFIXES include)
find_library(CUBLAS_LIBRARY NAMES libcublas.so.${CUDAToolkit_VERSION_MAJOR} cublas
             HINTS ${_cublas_hints} PATH_SUFFIXES lib lib64)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(cublas REQUIRED_VARS CUBLAS_LIBRARY CUBLAS_INCLUDE_DIR)
if(cublas_FOUND)
  set(cublas_INCLUDE_DIRS ${CUBLAS_INCLUDE_DIR})
  get_filename_component(cublas_LIBRARY_DIR ${CUBLAS_LIBRARY} DIRECTORY)
endif()
mark_as_advanced(CUBLAS_INCLUDE_DIR CUBLAS_LIBRARY)
