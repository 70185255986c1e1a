# The device's cases of the tests once more, on the emulated device (simt/device/runtime.h): what runs on a
# machine with a GPU as part of `make test-gpu`, with `GESTALT_EMULATED_CUDA=1` in the environment.

set(emulated_environment "OMP_WAIT_POLICY=passive;GESTALT_EMULATED_CUDA=1;GESTALT_REQUIRE_CUDA=1")

# gestalt_emulated_test(FOLDER FILTER [cost]): the cases of test_FOLDER that FILTER names, as emulated_FOLDER.
function(gestalt_emulated_test folder filter)
  target_link_libraries(test_${folder} PRIVATE gestalt_emulated_cuda)
  add_test(NAME emulated_${folder} COMMAND test_${folder} --gtest_filter=${filter}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(emulated_${folder} PROPERTIES ENVIRONMENT "${emulated_environment}"
                                                     FAIL_REGULAR_EXPRESSION "Running 0 tests")
  if(ARGN)
    set_tests_properties(emulated_${folder} PROPERTIES COST ${ARGN})
  endif()
endfunction()

# Not: doctor and bench, which report on the hardware; those that ask why there is no device.
gestalt_emulated_test(kernels "CudaRuntime.*-*SaysWhyThereIsNoDevice")
gestalt_emulated_test(ops "*/cuda/*:*OnCuda*:*/cuda")
gestalt_emulated_test(optim "OptimizersOnDevices.Cuda*")
gestalt_emulated_test(graph "*/cuda")
if(TARGET test_data)
  gestalt_emulated_test(data "TransferOnCuda.*")
endif()
if(TARGET test_eval)
  gestalt_emulated_test(eval "FrechetDistance.StatisticsAreOnTheCpu")
endif()
if(GESTALT_SANITIZE)
  # Whole networks take minutes each under the sanitizers.
  message(STATUS "gestalt: networks, training steps and tools on the emulated device are left out: they take long "
                 "under the sanitizers")
  return()
endif()
# Kernels' accesses are watched by the tests above: without that these take half the time.
string(APPEND emulated_environment ";GESTALT_SIMT_WATCH=0")
gestalt_emulated_test(models "*/cuda")
# Of FastGAN's four modes two, which take each dtype and each layout once: 40 s each.
gestalt_emulated_test(steps
  "*ClassifierStep*/cuda*:*GanStep*/cuda_f32_channels_last:*GanStep*/cuda_bf16:*GanStepOf*/cuda" 100)

# The tools, linked once more with the emulated device into a folder of their own, and the test that runs each
# on each device beside them.
if(TARGET test_tools)
  add_executable(emulated_tools tools/devices_test.cpp tools/killed_run.cpp tools/run_tool.cpp
                                tools/training_fixture.cpp)
  target_link_libraries(emulated_tools PRIVATE gestalt_tools gestalt_emulated_cuda GTest::gtest GTest::gtest_main)
  target_compile_definitions(emulated_tools PRIVATE GESTALT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set(emulated_tools emulated_tools)
  foreach(tool measure_fid sample_fewshot_gan shape_bias stylize_images synthesize_texture train_classifier
               train_fewshot_gan train_stylizer visualize_topk)
    add_executable(emulated_${tool} ${PROJECT_SOURCE_DIR}/tools/${tool}.cpp)
    target_link_libraries(emulated_${tool} PRIVATE gestalt_tools gestalt_emulated_cuda)
    set_target_properties(emulated_${tool} PROPERTIES OUTPUT_NAME ${tool})
    add_dependencies(emulated_tools emulated_${tool})
    list(APPEND emulated_tools emulated_${tool})
  endforeach()
  set_target_properties(${emulated_tools} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                        ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/emulated)
  add_test(NAME emulated_tools COMMAND emulated_tools --gtest_filter=*/cuda:DeviceFlag.*
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(emulated_tools PROPERTIES ENVIRONMENT "${emulated_environment}" COST 100
                                                 FAIL_REGULAR_EXPRESSION "Running 0 tests")
endif()
