# The flags of our own code, and the functions that define its targets.
add_library(troupe_flags INTERFACE)
target_include_directories(troupe_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(troupe_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:
  -Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Werror;-fno-omit-frame-pointer>)
if(TROUPE_SANITIZE STREQUAL "address")
  # CAF binds a null reference in a header of its own at each spawn of a function, harmlessly.
  set(sanitizers -fsanitize=address,undefined -fno-sanitize=null -fno-sanitize-recover=undefined)
elseif(TROUPE_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
endif()
if(TROUPE_SANITIZE)
  # GCC documents that what a sanitizer adds makes this warning false; without it, it stays on.
  list(APPEND sanitizers -Wno-maybe-uninitialized)
  target_compile_options(troupe_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${sanitizers}>)
  target_link_options(troupe_flags INTERFACE ${sanitizers})
endif()

# troupe_library(NAME SOURCES file... [DEPS target...])
function(troupe_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC troupe_flags ${arg_DEPS})
endfunction()

# troupe_test(NAME LABEL label SOURCES file... [DEPS target...] [ARGS arg...] [TIMEOUT seconds])
# Each label is a ring: unit, protocol, parity, sim, e2e, tidy or fuzz. The time limit is there for
# what hangs; four times what a busy machine takes. Whole clusters have the machine to themselves.
add_custom_target(fast_rings) # all but whole clusters: what sanitizers run
function(troupe_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;DEPS;ARGS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE troupe_flags ${arg_DEPS} GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 240)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "OMP_WAIT_POLICY=passive;TROUPE_BINARY=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/troupe"
    SKIP_REGULAR_EXPRESSION "every test of this program was skipped")
  if(arg_LABEL STREQUAL e2e)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  else()
    add_dependencies(fast_rings ${name})
  endif()
endfunction()
