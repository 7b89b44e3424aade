# Defines CUDNN::cudnn and CUDNN::cublas, the libraries of dense arithmetic. Looks beside CUDA and in CMAKE_PREFIX_PATH.
include(FindPackageHandleStandardArgs)
set(hints HINTS ${CUDAToolkit_LIBRARY_ROOT} "${CUDAToolkit_INCLUDE_DIRS}/..")
find_path(CUDNN_INCLUDE_DIR cudnn.h ${hints} PATH_SUFFIXES include)
find_path(CUBLAS_INCLUDE_DIR cublas_v2.h ${hints} PATH_SUFFIXES include)
# A Python package has the libraries under their run-time names only.
find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 ${hints} PATH_SUFFIXES lib lib64)
find_library(CUBLAS_LIBRARY NAMES cublas libcublas.so.13 libcublas.so.12 ${hints} PATH_SUFFIXES lib lib64)
find_package_handle_standard_args(CUDNN
  REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR CUBLAS_LIBRARY CUBLAS_INCLUDE_DIR)
if(CUDNN_FOUND AND NOT TARGET CUDNN::cudnn)
  add_library(CUDNN::cudnn UNKNOWN IMPORTED)
  set_target_properties(CUDNN::cudnn PROPERTIES IMPORTED_LOCATION "${CUDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR}")
  add_library(CUDNN::cublas UNKNOWN IMPORTED)
  set_target_properties(CUDNN::cublas PROPERTIES IMPORTED_LOCATION "${CUBLAS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CUBLAS_INCLUDE_DIR}")
endif()
