// A target for libFuzzer: fuzz_NAME --write-corpus FOLDER writes the target's samples and ends;
// anything else is libFuzzer's command line.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/target.h"

namespace {

void write_corpus(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const std::string& sample : lingua::testing::LINGUA_FUZZ_TARGET().samples()) {
    std::ofstream(folder / ("sample-" + std::to_string(number++)), std::ios::binary) << sample;
  }
  std::printf("%d samples in %s\n", number, folder.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string((*argv)[1]) == "--write-corpus") {
    write_corpus((*argv)[2]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const lingua::testing::FuzzTarget target = lingua::testing::LINGUA_FUZZ_TARGET();
  lingua::testing::takes(target, {reinterpret_cast<const char*>(data), size});
  return 0;
}
