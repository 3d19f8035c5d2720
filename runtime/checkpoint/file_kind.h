#pragma once
// What a file is by its first bytes, and what a folder holds instead of a model: for the words that
// refuse them.
//
// Nothing is read but the first kilobytes (of a ZIP archive also its list of names). Who asks for a
// model gets one line that says what the file is, what was expected and what to do.
// Errors: none: a file that cannot be read is "unreadable" in words too.
// Source: git-lfs.com/spec (pointers); pytorch/caffe2/serialize/inline_container.h (names inside
// .pt and .bin); ggml.h before GGUF (old magics); the formats' own documents.

#include <filesystem>
#include <string>
#include <string_view>

namespace lingua {

enum class FileKind {
  kMissing,      // or unreadable, a folder, a device
  kEmpty,        // no bytes, or nothing but zeros: reserved, never written
  kLfsPointer,   // the text that stands for a file in a Git repository
  kHtml,         // a web page
  kJson,         //
  kText,         // other text: often a server's error message
  kSafetensors,  //
  kGguf,         //
  kOldGgml,      // of llama.cpp before GGUF
  kTorchScript,  // torch.jit.save
  kTorchPickle,  // torch.save: pytorch_model.bin
  kArchive,      // zip, tar, gzip, ...
  kOther,        // ONNX, HDF5, TensorFlow Lite, NumPy, ...
  kUnknown,
};

struct FileFacts {
  FileKind kind = FileKind::kUnknown;
  // Follows a file's name: "is a Git LFS pointer, ...; run `git lfs pull` ...".
  std::string words;
};

FileFacts identify_file(const std::filesystem::path& path);

// Of a file's text, or its beginning: what JSON that cannot be parsed is instead.
FileFacts identify_text(std::string_view text);

// Why a file is no model, with the folder to give where it is a part of one; empty for a TorchScript
// file.
std::string why_no_model_file(const std::filesystem::path& path);

// Why nothing in a folder can be used as a model: "holds a LoRA adapter ...", "holds its weights as
// PyTorch pickles ...", "has a model in snapshots/abc; give that folder", "holds none of ...".
// REQUIRES: it has no config.json.
std::string why_no_config(const std::filesystem::path& folder);
// The same for a folder with config.json and without weights that can be read; empty when it holds
// no weights of any kind.
std::string why_no_weights(const std::filesystem::path& folder);

}  // namespace lingua
