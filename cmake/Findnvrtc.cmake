# NVRTC, which cuDNN compiles kernels with: nvrtc_LIBRARY_DIR; it is loaded at run time, so nothing is
# linked. The CUDA toolkit's; where that comes without libraries, Python's nvidia-cuda-nvrtc
# package's. Asked for after find_package(CUDAToolkit).
include(PythonPackage)
find_python_package(_nvrtc_python nvidia.cu13 nvidia.cuda_nvrtc)
find_library(NVRTC_LIBRARY NAMES libnvrtc.so.${CUDAToolkit_VERSION_MAJOR}
             HINTS ${CUDAToolkit_LIBRARY_DIR} ${_nvrtc_python} PATH_SUFFIXES lib lib64)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(nvrtc REQUIRED_VARS NVRTC_LIBRARY)
if(nvrtc_FOUND)
  get_filename_component(nvrtc_LIBRARY_DIR ${NVRTC_LIBRARY} DIRECTORY)
endif()
mark_as_advanced(NVRTC_LIBRARY)
