#pragma once
// How GGUF files hold the elements of a tensor: one by one, or in blocks of a few with a shared
// scale.
//
// Errors: none; any bytes are a valid block (a scale may be infinite or no number, and so are then
// the elements).
// Source: github.com/ggml-org/ggml, src/ggml-common.h and ggml-quants.c (layouts and formulas);
// include/ggml.h (numbers of the types).

#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/model/graph.h"

namespace lingua {

struct BlockFormat {
  std::uint32_t id = 0;           // in the file
  const char* name = "";          // "Q4_K"
  DType dtype = DType::kFloat32;  // that its elements are read as
  std::int64_t elements = 1;      // of a block; rows consist of whole blocks
  std::int64_t bytes = 0;         // of a block in the file
  // One block to float32; null when the bytes in the file are the elements.
  void (*dequantise)(const std::byte* block, float* out) = nullptr;
};

inline constexpr std::int64_t kMaxBlockElements = 256;

// Null for a type that is not supported.
const BlockFormat* find_block_format(std::uint32_t id);

// "2 (Q4_0)"; the number alone for a type that nobody knows.
std::string block_format_name(std::uint32_t id);

// "F32, F16, ...": for messages.
std::string supported_block_formats();

}  // namespace lingua
