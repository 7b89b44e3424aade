# GoogleTest: the installed one, or built here from a folder of its source, such as Debian's libgtest-dev leaves in
# /usr/src/googletest.
set(TROUPE_GTEST_SOURCE "" CACHE PATH "A folder with GoogleTest's source; empty for the installed library")
if(TROUPE_GTEST_SOURCE)
  set(INSTALL_GTEST OFF)
  set(BUILD_GMOCK OFF)
  add_subdirectory("${TROUPE_GTEST_SOURCE}" "${CMAKE_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL SYSTEM)
  if(NOT TARGET GTest::gtest)
    add_library(GTest::gtest ALIAS gtest)
    add_library(GTest::gtest_main ALIAS gtest_main)
  endif()
else()
  find_package(GTest REQUIRED)
endif()
