# Installs headers, libraries, tools and the package: find_package(gestalt) gives gestalt::gestalt.
# Two components: tools, library.
include(CMakePackageConfigHelpers)

get_property(libraries GLOBAL PROPERTY GESTALT_LIBRARIES)
get_property(tools GLOBAL PROPERTY GESTALT_TOOLS)

add_library(gestalt INTERFACE)
target_link_libraries(gestalt INTERFACE ${libraries})

install(TARGETS gestalt ${libraries} EXPORT gestalt_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(TARGETS ${tools} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
# The public headers. Internal are those of the backends, and those that say "(internal to FOLDER/)" in one line of
# their opening comment.
foreach(folder kernels tensor nn optim models data eval)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${folder}/*.h)
  list(FILTER headers EXCLUDE REGEX "^kernels/(cpu|cuda)/")
  foreach(header ${headers})
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} internal LIMIT_COUNT 1 REGEX "\\(internal to ")
    if(NOT internal)
      get_filename_component(place ${header} DIRECTORY)
      install(FILES ${PROJECT_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gestalt/${place}
              COMPONENT library)
    endif()
  endforeach()
endforeach()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/gestalt)
install(EXPORT gestalt_targets FILE gestalt-targets.cmake NAMESPACE gestalt::
        DESTINATION ${package_folder} COMPONENT library)
configure_package_config_file(cmake/gestalt-config.cmake.in ${PROJECT_BINARY_DIR}/gestalt-config.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gestalt-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gestalt-config.cmake ${PROJECT_BINARY_DIR}/gestalt-config-version.cmake
              cmake/Findonednn.cmake
        DESTINATION ${package_folder} COMPONENT library)
