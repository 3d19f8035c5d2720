#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "runtime/base/errors.h"
#include "runtime/text/piece_encoder.h"

namespace lingua {
namespace {

using NewEncoder = decltype(&lingua_new_piece_encoder);

// Beside the program, or where it was built.
std::filesystem::path module_path() {
  const std::filesystem::path built = LINGUA_PIECE_ENCODER_MODULE;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = program.parent_path() / built.filename();
  return !error && std::filesystem::exists(beside, error) ? beside : built;
}

NewEncoder open_module() {
  const std::string path = module_path().string();
  // Its own names and those of its libraries come before those that the program has already.
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  void* function = module == nullptr ? nullptr : dlsym(module, "lingua_new_piece_encoder");
  if (function == nullptr) {
    throw WorldError(fmt::format("the SentencePiece module cannot be loaded: {}", dlerror()));
  }
  return reinterpret_cast<NewEncoder>(function);
}

}  // namespace

std::unique_ptr<PieceEncoder> load_piece_encoder(const std::string& serialised,
                                                 std::string* refusal) {
  static const NewEncoder new_encoder = open_module();
  return std::unique_ptr<PieceEncoder>(new_encoder(serialised, refusal));
}

}  // namespace lingua
