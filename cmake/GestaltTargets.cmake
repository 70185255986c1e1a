# One target a folder, which links what it may include (tests/lint/lint_test.cpp holds it to that).

# gestalt_library(NAME [dependencies...]): a static library gestalt_NAME of every .cpp below this folder.
function(gestalt_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(gestalt_${name} STATIC ${sources})
  target_include_directories(gestalt_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/gestalt>)
  target_link_libraries(gestalt_${name} PUBLIC ${ARGN})
  target_compile_features(gestalt_${name} PUBLIC cxx_std_20)  # users of the package need it too
  set_target_properties(gestalt_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY GESTALT_LIBRARIES gestalt_${name})
endfunction()

# gestalt_tool(NAME [dependencies...]): the binary NAME of tools/NAME.cpp.
function(gestalt_tool name)
  add_executable(${name} ${CMAKE_CURRENT_SOURCE_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE ${ARGN})
  set_property(GLOBAL APPEND PROPERTY GESTALT_TOOLS ${name})
endfunction()

# gestalt_test(FOLDER [dependencies...]): the binary test_FOLDER of every .cpp in tests/FOLDER.
function(gestalt_test folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  if(NOT sources)
    message(FATAL_ERROR "gestalt_test(${folder}): no .cpp in ${CMAKE_CURRENT_SOURCE_DIR}/${folder}")
  endif()
  add_executable(test_${folder} ${sources})
  target_include_directories(test_${folder} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_${folder} PRIVATE ${ARGN} GTest::gtest GTest::gtest_main)
  target_compile_definitions(test_${folder} PRIVATE
    GESTALT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" GESTALT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${folder} COMMAND test_${folder} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # Tests share the machine: threads that spin while they wait take each other's time.
  set_tests_properties(${folder} PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()
