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
foreach(folder kernels tensor nn optim models data eval)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gestalt
          COMPONENT library FILES_MATCHING PATTERN "*.h"
          PATTERN "cuda" EXCLUDE)
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
