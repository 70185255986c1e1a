# find_python_package(VARIABLE modules...): the folder of the first of these Python packages that is
# installed, empty where none is. NVIDIA's libraries come this way too: nvidia-cudnn, nvidia-cublas.
find_program(PYTHON3_PROGRAM python3)
mark_as_advanced(PYTHON3_PROGRAM)

function(find_python_package variable)
  set(${variable} "" PARENT_SCOPE)
  foreach(module ${ARGN})
    set(folder)
    if(PYTHON3_PROGRAM)
      execute_process(
        COMMAND ${PYTHON3_PROGRAM} -c "import importlib.util as u; s = u.find_spec('${module}'); print(list(s.submodule_search_locations)[0] if s else '')"
        OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
    if(folder)
      set(${variable} ${folder} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()
