#include "runtime/checkpoint/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "runtime/checkpoint/json.h"

namespace lingua {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kZipTailBytes = 4 << 20;
constexpr std::size_t kShownText = 60;

constexpr const char* kConvert =
    "it can run code when it is read and is not read here; load it with transformers and write "
    "safetensors (save_pretrained)";

struct Magic {
  std::size_t at;
  std::string_view bytes;
  FileKind kind;
  const char* words;
};

using std::string_view_literals::operator""sv;

constexpr std::array kMagics = {
    Magic{0, "GGUF"sv, FileKind::kGguf, "is a GGUF file"},
    Magic{0, "lmgg"sv, FileKind::kOldGgml, "ggml"},
    Magic{0, "fmgg"sv, FileKind::kOldGgml, "ggmf"},
    Magic{0, "tjgg"sv, FileKind::kOldGgml, "ggjt"},
    Magic{0, "algg"sv, FileKind::kOldGgml, "ggla"},
    Magic{0, "\x1f\x8b"sv, FileKind::kArchive, "gzip"},
    Magic{0, "\x28\xb5\x2f\xfd"sv, FileKind::kArchive, "Zstandard"},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          FileKind::kArchive, "xz"},
    Magic{0, "BZh"sv, FileKind::kArchive, "bzip2"},
    Magic{0, "7z\xbc\xaf\x27\x1c"sv, FileKind::kArchive, "7-Zip"},
    Magic{0, "Rar!\x1a\x07"sv, FileKind::kArchive, "RAR"},
    Magic{257, "ustar"sv, FileKind::kArchive, "tar"},
    Magic{0, "\x89HDF\r\n\x1a\n"sv, FileKind::kOther, "an HDF5 file (Keras, TensorFlow)"},
    Magic{4, "TFL3"sv, FileKind::kOther, "a TensorFlow Lite model"},
    Magic{0, "\x93NUMPY"sv, FileKind::kOther, "a NumPy array"},
    Magic{0,
          "\x7f"
          "ELF"sv,
          FileKind::kOther, "a program or library (ELF)"},
    Magic{0, "%PDF"sv, FileKind::kOther, "a PDF document"},
    Magic{0, "\x89PNG"sv, FileKind::kOther, "a picture (PNG)"},
};

bool has_at(std::string_view head, std::size_t at, std::string_view bytes) {
  return head.size() >= at + bytes.size() && head.substr(at, bytes.size()) == bytes;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return c < 128 ? std::tolower(c) : c; });
  return result;
}

std::string file_bytes(const fs::path& path, std::uint64_t begin, std::size_t count) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(count, '\0');
  in.seekg(static_cast<std::streamoff>(begin));
  in.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return bytes;
}

bool is_plain_text(std::string_view head) {
  if (!head.starts_with("\xef\xbb\xbf") && (head.front() & 0x80) != 0) return false;
  std::size_t beyond_ascii = 0;
  for (const unsigned char c : head) {
    if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f')) return false;
    if (c >= 0x80) ++beyond_ascii;
  }
  return beyond_ascii <= head.size() / 2;
}

FileFacts lfs_pointer(std::string_view text) {
  std::string size;
  const std::size_t at = text.find("\nsize ");
  for (std::size_t i = at == std::string_view::npos ? text.size() : at + 6;
       i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) && size.size() < 20;
       ++i) {
    size += text[i];
  }
  return {FileKind::kLfsPointer,
          fmt::format("is a Git LFS pointer: the text that stands for the file{}, which was not "
                      "fetched; run `git lfs pull` in its folder or download the file itself",
                      size.empty() ? "" : fmt::format(" of {} bytes", size))};
}

// The end of a ZIP archive lists its names.
FileFacts identify_zip(const fs::path& path, std::uint64_t size) {
  const std::uint64_t begin = size - std::min<std::uint64_t>(size, kZipTailBytes);
  const std::string tail = file_bytes(path, begin, static_cast<std::size_t>(size - begin));
  const auto has = [&](std::string_view text) { return tail.find(text) != std::string::npos; };
  if (!has("PK\x05\x06"sv)) {
    return {FileKind::kArchive,
            "is a ZIP archive (as PyTorch writes) without its end: it was cut short; download or "
            "copy it again"};
  }
  if (has("/constants.pkl") || has("/code/__torch__")) {
    return {FileKind::kTorchScript, "is a TorchScript file"};
  }
  if (has("/data.pkl")) {
    return {FileKind::kTorchPickle,
            fmt::format("is a PyTorch checkpoint (pickle, as in pytorch_model.bin): {}", kConvert)};
  }
  if (has("exported_program") || has("/models/model.json")) {
    return {FileKind::kOther,
            "is a program of torch.export; write it as TorchScript (torch.jit.trace and "
            "torch.jit.save)"};
  }
  if (has(".npy")) return {FileKind::kOther, "is a NumPy archive (npz), not a model"};
  return {FileKind::kArchive, "is a ZIP archive; unpack it and give what is inside"};
}

bool is_safetensors(std::string_view head, std::uint64_t size) {
  std::uint64_t header = 0;
  if (head.size() < 10) return false;
  std::memcpy(&header, head.data(), sizeof header);
  return head[8] == '{' && (header < (1 << 30) || header <= size);
}

// Protobuf: ir_version, a small number, then the producer's name or the graph.
bool is_onnx(std::string_view head, const fs::path& path) {
  return head.size() > 4 && head[0] == '\x08' && head[1] > 0 && head[1] < 32 &&
         (head[2] == '\x12' || head[2] == '\x3a') &&
         (lower(path.extension().string()) == ".onnx" ||
          head.substr(0, 64).find("pytorch") != std::string_view::npos);
}

std::string first_bytes(std::string_view head) {
  std::string text;
  for (const char c : head.substr(0, 8)) {
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", static_cast<unsigned char>(c));
  }
  return text;
}

FileFacts identify_head(std::string_view head, const fs::path& path, std::uint64_t size) {
  if (head.find_first_not_of('\0') == std::string_view::npos) {
    return {FileKind::kEmpty,
            fmt::format("begins with {} bytes of zeros: its place was reserved and its contents "
                        "never came; download it again",
                        head.size())};
  }
  for (const Magic& magic : kMagics) {
    if (!has_at(head, magic.at, magic.bytes)) continue;
    switch (magic.kind) {
      case FileKind::kOldGgml:
        return {magic.kind, fmt::format("is a file of llama.cpp before GGUF ('{}'); convert the "
                                        "model anew, to GGUF",
                                        magic.words)};
      case FileKind::kArchive:
        return {magic.kind,
                fmt::format("is an archive ({}); unpack it and give what is inside", magic.words)};
      case FileKind::kOther: return {magic.kind, fmt::format("is {}, not a model", magic.words)};
      default: return {magic.kind, magic.words};
    }
  }
  if (has_at(head, 0, "PK\x03\x04"sv)) return identify_zip(path, size);
  if (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) {
    return {FileKind::kTorchPickle,
            fmt::format("is a Python pickle (an old PyTorch checkpoint): {}", kConvert)};
  }
  if (is_safetensors(head, size)) return {FileKind::kSafetensors, "is a safetensors file"};
  if (is_onnx(head, path)) {
    return {FileKind::kOther, "is an ONNX model, which is not read; give the model it was made of"};
  }
  if (is_plain_text(head)) return identify_text(head);
  return {FileKind::kUnknown,
          fmt::format("is of no kind that is known: it begins with {}", first_bytes(head))};
}

// The names in a folder, sorted.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> first_ending(const std::vector<std::string>& names,
                                        std::initializer_list<std::string_view> ends) {
  for (const std::string_view end : ends) {
    for (const std::string& name : names) {
      if (lower(name).ends_with(end)) return name;
    }
  }
  return std::nullopt;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::binary_search(names.begin(), names.end(), name);
}

std::string adapter(const fs::path& folder) {
  const auto config =
      nlohmann::json::parse(file_bytes(folder / "adapter_config.json", 0, 1 << 20), nullptr, false);
  std::string base;
  if (config.is_object() && config.contains("base_model_name_or_path") &&
      config["base_model_name_or_path"].is_string()) {
    base = " for " + quoted(config["base_model_name_or_path"].get<std::string>());
  }
  return fmt::format(
      "holds an adapter (LoRA){}, not a model; merge it into its model (peft: merge_and_unload, "
      "save_pretrained) and give the result",
      base);
}

// The weights that a folder holds in a format that is not read; empty: none.
std::string foreign_weights(const fs::path& folder, const std::vector<std::string>& names) {
  if (const auto part = first_ending(
          names, {".incomplete", ".part", ".crdownload", ".aria2", ".download", ".partial"})) {
    return fmt::format("holds {}: its download did not end; do it again", quoted(*part));
  }
  if (has(names, "adapter_config.json")) return adapter(folder);
  if (const auto file = first_ending(names, {".gguf"})) {
    return fmt::format("holds a GGUF file; give that: {}", (folder / *file).string());
  }
  if (has(names, "params.json") && first_ending(names, {".pth"})) {
    return "holds Meta's own format (params.json and .pth); convert it with transformers "
           "(convert_llama_weights_to_hf.py) or take the repository whose name ends in -hf";
  }
  if (const auto file = first_ending(names, {".bin", ".pt", ".pth", ".ckpt"})) {
    const FileFacts facts = identify_file(folder / *file);
    if (facts.kind == FileKind::kTorchScript) {
      return fmt::format("holds a TorchScript file; give that: {}", (folder / *file).string());
    }
    return fmt::format("holds no safetensors but {}, which {}", quoted(*file), facts.words);
  }
  if (const auto file = first_ending(names, {".h5", ".msgpack", ".ot", ".onnx", ".tflite"})) {
    return fmt::format(
        "holds its weights as {}, which is not read; take or write them as safetensors "
        "(transformers: save_pretrained)",
        quoted(*file));
  }
  return "";
}

}  // namespace

FileFacts identify_text(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {FileKind::kEmpty, "is empty"};
  text.remove_prefix(begin);
  if (text.starts_with("version https://git-lfs") || text.starts_with("version https://hawser")) {
    return lfs_pointer(text);
  }
  const std::string start = lower(text.substr(0, 512));
  if (start.starts_with("<!doctype html") || start.starts_with("<html") ||
      (start.front() == '<' && start.find("<html") != std::string::npos)) {
    return {FileKind::kHtml,
            "is a web page (HTML): the server sent a page (a login, a form or an error) instead "
            "of the file; download it again, by its 'resolve' address"};
  }
  if (start.front() == '<') {
    return {FileKind::kText,
            "is XML: often a server's error instead of the file; download it again"};
  }
  if (start.front() == '{' || start.front() == '[') return {FileKind::kJson, "is JSON"};
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  return {FileKind::kText,
          fmt::format("is a text that begins with {}: often a server's answer instead of the file",
                      quoted(std::string(line.substr(0, kShownText))))};
}

FileFacts identify_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return {FileKind::kMissing, "is a folder"};
  if (!fs::exists(status)) {
    return {FileKind::kMissing, fs::is_symlink(path, error)
                                    ? fmt::format("is a link to {}, which does not exist",
                                                  quoted(fs::read_symlink(path, error).string()))
                                    : "does not exist"};
  }
  if (!fs::is_regular_file(status)) return {FileKind::kMissing, "is not a regular file"};
  const std::uint64_t size = fs::file_size(path, error);
  if (error) return {FileKind::kMissing, "cannot be read: " + error.message()};
  if (size == 0) return {FileKind::kEmpty, "is empty (0 bytes); download or copy it again"};
  const std::string head = file_bytes(path, 0, kHeadBytes);
  if (head.empty()) return {FileKind::kMissing, "cannot be read"};
  return identify_head(head, path, size);
}

std::string why_no_model_file(const fs::path& path) {
  const FileFacts facts = identify_file(path);
  if (facts.kind == FileKind::kTorchScript) return "";
  std::error_code error;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const bool in_model = fs::exists(folder / "config.json", error);
  const bool is_part = facts.kind == FileKind::kSafetensors || facts.kind == FileKind::kJson;
  if (is_part && in_model) {
    return fmt::format("{}, a part of a model; give its folder: {}", facts.words, folder.string());
  }
  return fmt::format(
      "{}; a model is a folder with config.json and model.safetensors, a GGUF file or a "
      "TorchScript "
      "file",
      facts.words);
}

std::string why_no_config(const fs::path& folder) {
  const std::vector<std::string> names = names_in(folder);
  if (has(names, "adapter_config.json")) return adapter(folder);
  if (has(names, "model_index.json")) return "holds a pipeline of diffusers, not a language model";
  std::vector<fs::path> inner;
  std::error_code error;
  for (const std::string& name : names) {
    if (fs::exists(folder / name / "config.json", error)) inner.push_back(fs::path(name));
    if (name != "snapshots") continue;
    for (const std::string& snapshot : names_in(folder / name)) {
      if (fs::exists(folder / name / snapshot / "config.json", error))
        inner.push_back(fs::path(name) / snapshot);
    }
  }
  if (!inner.empty()) {
    return fmt::format("has no config.json, but {} has; give that folder",
                       (folder / inner.front()).string());
  }
  const std::string foreign = foreign_weights(folder, names);
  if (!foreign.empty()) return "has no config.json and " + foreign;
  return fmt::format(
      "has no config.json{}; a model folder has config.json and model.safetensors (or its shards)",
      names.empty()                           ? " and is empty"
      : first_ending(names, {".safetensors"}) ? ", without which its weights mean nothing"
                                              : "");
}

std::string why_no_weights(const fs::path& folder) {
  const std::vector<std::string> names = names_in(folder);
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (has(names, name)) return fmt::format("{} {}", name, identify_file(folder / name).words);
  }
  const std::string foreign = foreign_weights(folder, names);
  if (!foreign.empty()) return foreign;
  if (has(names, "consolidated.safetensors")) {
    return "holds 'consolidated.safetensors', Mistral's own format with other names; take the "
           "model-0000K-of-0000N.safetensors of the same repository";
  }
  if (const auto file = first_ending(names, {".safetensors"})) {
    return fmt::format(
        "holds {}, but neither model.safetensors nor shards named "
        "model-00001-of-0000N.safetensors; "
        "rename it to model.safetensors if it is the whole model",
        quoted(*file));
  }
  return "";
}

}  // namespace lingua
