# The device's cases of the tests once more, on the emulated device (simt/device/runtime.h).

# gestalt_emulated_test(FOLDER FILTER [cost]): test_FOLDER's cases that FILTER names, as emulated_FOLDER.
function(gestalt_emulated_test folder filter)
  target_link_libraries(test_${folder} PRIVATE gestalt_emulated_cuda)
  add_test(NAME emulated_${folder} COMMAND test_${folder} --gtest_filter=${filter}
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(emulated_${folder} PROPERTIES ENVIRONMENT
    "OMP_WAIT_POLICY=passive;GESTALT_EMULATED_CUDA=1;GESTALT_REQUIRE_CUDA=1")
endfunction()

gestalt_emulated_test(ops "*/cuda/*:*on_cuda*")
gestalt_emulated_test(optim "*uda*")
gestalt_emulated_test(graph "*cuda*")
gestalt_emulated_test(steps "*cuda*")
gestalt_emulated_test(models "*cuda*")
