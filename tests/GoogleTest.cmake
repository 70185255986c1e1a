# GTest::gtest and GTest::gtest_main: built from GESTALT_GTEST_SOURCE where that is set (a source
# tree such as /usr/src/googletest), else the installed package.
set(GESTALT_GTEST_SOURCE "" CACHE PATH "GoogleTest's source tree; empty: the installed package")

if(NOT GESTALT_GTEST_SOURCE)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    message(FATAL_ERROR "GoogleTest was not found: install it, or say where its source tree is with "
                        "-DGESTALT_GTEST_SOURCE=FOLDER, or build without tests with "
                        "-DGESTALT_BUILD_TESTS=OFF")
  endif()
  return()
endif()

find_path(GESTALT_GTEST_FOLDER src/gtest-all.cc NO_DEFAULT_PATH NO_CACHE
          PATHS ${GESTALT_GTEST_SOURCE} ${GESTALT_GTEST_SOURCE}/googletest)
if(NOT GESTALT_GTEST_FOLDER)
  message(FATAL_ERROR "GESTALT_GTEST_SOURCE=${GESTALT_GTEST_SOURCE} has no src/gtest-all.cc and no "
                      "googletest/src/gtest-all.cc")
endif()
# Its two files, not its own CMake project, whose old versions a new CMake refuses.
function(add_gtest name source)
  add_library(gestalt_${name} STATIC ${GESTALT_GTEST_FOLDER}/src/${source})
  target_include_directories(gestalt_${name} SYSTEM PUBLIC ${GESTALT_GTEST_FOLDER}/include
                                                    PRIVATE ${GESTALT_GTEST_FOLDER})
  target_compile_options(gestalt_${name} PRIVATE -w)
  target_link_libraries(gestalt_${name} PUBLIC Threads::Threads)
  add_library(GTest::${name} ALIAS gestalt_${name})
endfunction()
add_gtest(gtest gtest-all.cc)
add_gtest(gtest_main gtest_main.cc)
