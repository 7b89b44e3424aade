# Defines NCCL::nccl. Looks beside CUDA, in CMAKE_PREFIX_PATH and in TROUPE_NCCL_ROOT, a folder with include/ and lib/.
include(FindPackageHandleStandardArgs)
set(TROUPE_NCCL_ROOT "" CACHE PATH "Where NCCL is, if not beside CUDA")
set(hints HINTS "${TROUPE_NCCL_ROOT}" ${CUDAToolkit_LIBRARY_ROOT} "${CUDAToolkit_INCLUDE_DIRS}/..")
find_path(NCCL_INCLUDE_DIR nccl.h ${hints} PATH_SUFFIXES include)
# A Python package has the library under its run-time name only.
find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 ${hints} PATH_SUFFIXES lib lib64)
if(NCCL_INCLUDE_DIR)
  file(STRINGS "${NCCL_INCLUDE_DIR}/nccl.h" lines REGEX "^#define NCCL_(MAJOR|MINOR|PATCH) ")
  list(JOIN lines "." lines)
  string(REGEX REPLACE "#define NCCL_[A-Z]+ +" "" NCCL_VERSION "${lines}")
endif()
find_package_handle_standard_args(NCCL REQUIRED_VARS NCCL_LIBRARY NCCL_INCLUDE_DIR VERSION_VAR NCCL_VERSION)
if(NCCL_FOUND AND NOT TARGET NCCL::nccl)
  add_library(NCCL::nccl UNKNOWN IMPORTED)
  set_target_properties(NCCL::nccl PROPERTIES IMPORTED_LOCATION "${NCCL_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${NCCL_INCLUDE_DIR}")
endif()
