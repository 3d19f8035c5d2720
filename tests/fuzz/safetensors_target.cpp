#include "runtime/checkpoint/safetensors.h"
#include "tests/fuzz/target.h"
#include "tests/support/memory_file.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  static const MemoryFile content;
  content.write(bytes);
  const Safetensors file(content.path());
  for (const auto& [name, spec] : file.tensors()) {
    std::vector<std::byte> out(static_cast<std::size_t>(spec.bytes()));
    file.read(name, 0, spec.bytes(), out.data());
  }
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header +
         std::string(data_bytes, 'x');
}

std::vector<std::string> samples() {
  return {
      file_of("{}", 0),
      file_of(R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})", 16),
      file_of(R"({"__metadata__":{"format":"pt"},)"
              R"("a":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},)"
              R"("b":{"dtype":"I64","shape":[],"data_offsets":[6,14]},)"
              R"("c":{"dtype":"U8","shape":[0,7],"data_offsets":[14,14]}}   )",
              14),
  };
}

}  // namespace

FuzzTarget safetensors_target() { return {"safetensors", run, samples}; }

}  // namespace lingua::testing
