#include "runtime/checkpoint/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/gguf_header.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

constexpr std::int64_t kPieceBytes = 64 << 10;

template <class T>
constexpr const char* kKindName = "";
template <>
constexpr const char* kKindName<std::int64_t> = "an integer";
template <>
constexpr const char* kKindName<double> = "a number with a fraction";
template <>
constexpr const char* kKindName<bool> = "a truth value";
template <>
constexpr const char* kKindName<std::string> = "a string";
template <>
constexpr const char* kKindName<std::vector<std::int64_t>> = "a list of integers";
template <>
constexpr const char* kKindName<std::vector<double>> = "a list of numbers with fractions";
template <>
constexpr const char* kKindName<std::vector<bool>> = "a list of truth values";
template <>
constexpr const char* kKindName<std::vector<std::string>> = "a list of strings";

// Elements [first, first + count) of a tensor in blocks.
void read_blocks(const SourceFile& file, const GgufTensor& tensor, std::int64_t first,
                 std::int64_t count, std::byte* out) {
  const BlockFormat& format = *tensor.format;
  const std::int64_t blocks_at_once = kPieceBytes / format.bytes;
  std::vector<std::byte> piece;
  std::array<float, kMaxBlockElements> block{};
  while (count > 0) {
    const std::int64_t begin = first / format.elements;
    const std::int64_t end = (first + count + format.elements - 1) / format.elements;
    const std::int64_t blocks = std::min(end - begin, blocks_at_once);
    piece.resize(static_cast<std::size_t>(blocks * format.bytes));
    file.read(tensor.position + static_cast<std::uint64_t>(begin * format.bytes), piece.size(),
              piece.data());
    for (std::int64_t i = 0; i < blocks; ++i) {
      format.dequantise(piece.data() + i * format.bytes, block.data());
      const std::int64_t skipped = first % format.elements;
      const std::int64_t wanted = std::min(count, format.elements - skipped);
      const std::size_t bytes = static_cast<std::size_t>(wanted) * sizeof(float);
      std::memcpy(out, block.data() + skipped, bytes);
      out += bytes;
      first += wanted;
      count -= wanted;
    }
  }
}

}  // namespace

struct Gguf::Impl {
  explicit Impl(const std::filesystem::path& path) : file(path), header(read_gguf_header(file)) {}

  SourceFile file;
  GgufHeader header;
};

bool Gguf::is_gguf(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  const SourceFile file(path);
  std::array<char, 4> magic{};
  if (file.bytes() < magic.size()) return false;
  file.read(0, magic.size(), reinterpret_cast<std::byte*>(magic.data()));
  return std::string_view(magic.data(), magic.size()) == kGgufMagic;
}

Gguf::Gguf(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}

Gguf::~Gguf() = default;

const std::string& Gguf::path() const { return impl_->file.path(); }

std::vector<std::string> Gguf::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : impl_->header.values) keys.push_back(key);
  return keys;
}

const Gguf::Value* Gguf::find_value(const std::string& key) const {
  const auto it = impl_->header.values.find(key);
  return it == impl_->header.values.end() ? nullptr : &it->second;
}

template <class Type>
const Type& Gguf::value(const std::string& key) const {
  const Value* value = find_value(key);
  if (value == nullptr) {
    throw InputError(fmt::format("{}: metadata key {} is missing; {} is needed", path(),
                                 quoted(key), kKindName<Type>));
  }
  if (const Type* typed = std::get_if<Type>(value); typed != nullptr) return *typed;
  const char* kind = std::visit(
      [](const auto& other) { return kKindName<std::remove_cvref_t<decltype(other)>>; }, *value);
  throw InputError(fmt::format("{}: metadata key {} is {}; {} is needed", path(), quoted(key), kind,
                               kKindName<Type>));
}

template const std::int64_t& Gguf::value(const std::string&) const;
template const double& Gguf::value(const std::string&) const;
template const bool& Gguf::value(const std::string&) const;
template const std::string& Gguf::value(const std::string&) const;
template const std::vector<std::int64_t>& Gguf::value(const std::string&) const;
template const std::vector<double>& Gguf::value(const std::string&) const;
template const std::vector<bool>& Gguf::value(const std::string&) const;
template const std::vector<std::string>& Gguf::value(const std::string&) const;

const WeightSpec* Gguf::find(const std::string& name) const {
  const auto it = impl_->header.tensors.find(name);
  return it == impl_->header.tensors.end() ? nullptr : &it->second.spec;
}

void Gguf::read(const std::string& name, std::int64_t offset, std::int64_t bytes,
                std::byte* out) const {
  const auto it = impl_->header.tensors.find(name);
  LINGUA_CHECK(it != impl_->header.tensors.end(), "{} has no tensor {}", path(), name);
  const GgufTensor& tensor = it->second;
  const std::int64_t element = dtype_bytes(tensor.spec.dtype);
  LINGUA_CHECK(offset >= 0 && bytes >= 0 && offset <= tensor.spec.bytes() - bytes &&
                   offset % element == 0 && bytes % element == 0,
               "{} bytes at {} of {}", bytes, offset, name);
  if (tensor.format->dequantise == nullptr) {
    impl_->file.read(tensor.position + static_cast<std::uint64_t>(offset),
                     static_cast<std::uint64_t>(bytes), out);
  } else {
    read_blocks(impl_->file, tensor, offset / element, bytes / element, out);
  }
}

DType Gguf::own_dtype() const {
  DTypeCount count;
  for (const auto& [name, tensor] : impl_->header.tensors) {
    const bool quantised = tensor.format->dequantise != nullptr;
    count.add(quantised ? DType::kBFloat16 : tensor.spec.dtype,
              static_cast<double>(tensor.spec.bytes()) /
                  static_cast<double>(dtype_bytes(tensor.spec.dtype)));
  }
  return count.own();
}

std::vector<std::string> Gguf::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : impl_->header.tensors) names.push_back(name);
  return names;
}

}  // namespace lingua
