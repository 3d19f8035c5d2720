# Writes the version of this build to a source file, which changes only when the version does:
#   cmake -DROOT=... -DTEMPLATE=... -DTO=... -DNUMBER=... -DLIBTORCH=... -DSIMGRID=... -DCBC=... -P write_version.cmake
set(COMMIT unknown)
file(TIMESTAMP ${ROOT}/CMakeLists.txt COMMIT_DATE %Y-%m-%d UTC)  # in an archive that of its commit
find_program(GIT git)
if(GIT AND EXISTS ${ROOT}/.git)  # not that of a repository around an unpacked archive
  execute_process(COMMAND ${GIT} -C ${ROOT} describe --always --abbrev=12 --exclude=* --dirty=+changes
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed AND commit MATCHES "^[0-9a-f]+(\\+changes)?$")
    set(COMMIT ${commit})
    execute_process(COMMAND ${GIT} -C ${ROOT} show -s --format=%cs HEAD
      OUTPUT_VARIABLE COMMIT_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
foreach(library LIBTORCH SIMGRID CBC)
  if(NOT ${library})
    set(${library} none)
  endif()
endforeach()
configure_file(${TEMPLATE} ${TO} @ONLY)
