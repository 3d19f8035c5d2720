# Writes OUT, a C++ source that holds the texts FILES (separated by "|"), for page_files.h:
#   cmake -DOUT=... -DFILES=a|b -P embed.cmake
string(REPLACE "|" ";" files "${FILES}")
set(source "// Made by runtime/report/embed.cmake.\n#include \"runtime/report/page_files.h\"\n\n#include \"runtime/base/errors.h\"\n\nnamespace lingua {\n\nstd::string_view page_file(std::string_view name) {\n")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  string(APPEND source "  if (name == \"${name}\") return R\"lingua_page(${text})lingua_page\";\n")
endforeach()
string(APPEND source "  LINGUA_CHECK(false, \"no file '{}' in the program\", name);\n  return {};\n}\n\n}  // namespace lingua\n")
file(WRITE "${OUT}" "${source}")
