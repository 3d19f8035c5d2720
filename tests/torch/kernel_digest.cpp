// Prints a digest of each case of kernel_results(), computed with the instruction set that the CPU has.
#include <cinttypes>
#include <cstdio>

#include "tests/torch/kernel_cases.h"

int main() {
  for (const auto& [name, bits] : lingua::testing::kernel_results()) {
    std::uint64_t digest = 0xcbf29ce484222325U;  // FNV-1a
    for (const std::uint32_t word : bits) digest = (digest ^ word) * 0x100000001b3U;
    std::printf("%016" PRIx64 "  %s\n", digest, name.c_str());
  }
}
