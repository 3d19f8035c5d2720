#pragma once
// The files of tests/text/golden: strings, tokenizers, and what other implementations make of them.

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/device/message.h"
#include "runtime/text/sentencepiece_model.h"

namespace lingua::golden {

inline std::filesystem::path folder() { return LINGUA_TEXT_GOLDEN; }

inline nlohmann::json read(const std::string& name) {
  return nlohmann::json::parse(read_file(folder() / name));
}

inline std::vector<std::string> strings() {
  std::vector<std::string> all;
  for (const nlohmann::json& entry : read("strings.json")) {
    std::string text;
    for (int i = entry.value("repeat", 1); i > 0; --i) text += entry["text"].get<std::string>();
    all.push_back(text);
  }
  return all;
}

// FNV-1a, 64 bit, as make_golden.py writes it.
inline std::string fnv(const std::string& text) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return fmt::format("{:016x}", value);
}

// Ids as the golden files show them: all, or of many their count and checksum.
inline nlohmann::json shown(const std::vector<TokenId>& ids) {
  if (ids.size() <= 200) return ids;
  return {{"count", ids.size()}, {"fnv", fnv(fmt::format("{}", fmt::join(ids, ",")))}};
}

inline std::string base64(const std::string& text) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(kDigits.find(c));
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 0xFF);
  }
  return bytes;
}

inline SentencePieceModel sentencepiece(const std::string& name) {
  const nlohmann::json file = read(name + ".spm.json");
  SentencePieceModel model;
  model.kind = static_cast<SentencePieceModel::Kind>(file["model_type"].get<int>());
  model.byte_fallback = file["byte_fallback"];
  model.bos = file["bos_piece"];
  model.eos = file["eos_piece"];
  model.add_dummy_prefix = file["add_dummy_prefix"];
  model.remove_extra_whitespaces = file["remove_extra_whitespaces"];
  model.normalisation_table = base64(file["normalisation_table"]);
  for (const nlohmann::json& piece : file["pieces"]) {
    model.pieces.push_back(
        {piece[0], piece[1], static_cast<SentencePieceModel::PieceKind>(piece[2].get<int>())});
  }
  return model;
}

inline void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace lingua::golden
