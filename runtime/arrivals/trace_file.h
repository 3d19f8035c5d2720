#pragma once
// Files of request traces, told apart by their contents:
//   - our own, CSV:      arrival_s,prompt_tokens,output_tokens
//   - Azure's, CSV:      TIMESTAMP,ContextTokens,GeneratedTokens; TIMESTAMP as in
//                        "2023-11-16 18:17:03.9799600", counted from the first request
//   - Mooncake's, JSON:  one object a line with timestamp (ms), input_length, output_length; other
//                        members (hash_ids) count for nothing
// CSV follows RFC 4180 with a header line; empty lines, CRLF and a byte order mark are taken.
//
// Errors: InputError with file, line, field and value, and what would be accepted: times that are
// missing, negative, not finite or before those above them, tokens below 1 or above kMostTraceTokens,
// rows with more or fewer columns, more than kMostTraceRequests, files of more than 256 MB, no requests.
// Source: github.com/Azure/AzurePublicDataset (AzureLLMInferenceDataset2023.md);
// github.com/kvcache-ai/Mooncake (FAST25-release/traces).

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/arrivals/arrivals.h"

namespace lingua {

inline constexpr std::size_t kMostTraceRequests = 10'000'000;

RequestTrace read_trace(const std::filesystem::path& file);
// `file` stands in messages and as the trace's source.
RequestTrace parse_trace(std::string_view text, const std::string& file);

// As our own CSV: what is read from it is the same to the last bit. REQUIRES: clients is 0.
std::string trace_csv(const RequestTrace& trace);
void write_trace(const RequestTrace& trace, const std::filesystem::path& file);

}  // namespace lingua
