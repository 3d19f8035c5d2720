#pragma once
// The front of a GGUF file: its metadata, and where its tensors are.
//
// Errors: as gguf.h says.
// Source: github.com/ggml-org/ggml/blob/master/docs/gguf.md (format, versions 2 and 3).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "runtime/checkpoint/gguf.h"
#include "runtime/checkpoint/gguf_blocks.h"
#include "runtime/checkpoint/source_file.h"

namespace lingua {

inline constexpr std::string_view kGgufMagic = "GGUF";

struct GgufTensor {
  WeightSpec spec;
  const BlockFormat* format = nullptr;
  std::uint64_t position = 0;  // of its first byte in the file
  std::uint64_t bytes = 0;     // in the file, which has them all
};

struct GgufHeader {
  std::map<std::string, Gguf::Value> values;
  std::map<std::string, GgufTensor> tensors;
};

GgufHeader read_gguf_header(const SourceFile& file);

}  // namespace lingua
