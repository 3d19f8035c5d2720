#include "runtime/checkpoint/gguf_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

constexpr std::uint64_t kMaxMetadataBytes = 256 << 20;
constexpr std::uint64_t kMaxElements = 1 << 24;  // of all arrays of the metadata
constexpr std::uint64_t kMaxNameBytes = 65535;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::int64_t kMaxAlignment = 1 << 20;
constexpr std::uint32_t kMaxDims = 4;
constexpr std::int64_t kMaxTensorElements = std::numeric_limits<std::int64_t>::max() / 64;
constexpr std::uint64_t kSmallestPair = 8 + 4 + 1;        // a key, its type, a value
constexpr std::uint64_t kSmallestTensor = 8 + 4 + 4 + 8;  // a name, dimensions, type, offset
constexpr std::uint64_t kReadBytes = 64 << 10;

enum class Type : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

bool is_utf8(const std::string& text) {
  if (std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; })) return true;
  try {
    nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
  return true;
}

// Reads the front of the file in order, with a buffer.
class Front {
 public:
  explicit Front(const SourceFile& file)
      : file_(file), end_(std::min(file.bytes(), kMaxMetadataBytes)) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw InputError(fmt::format("{}: {}", file_.path(), why));
  }

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return end_ - position_; }

  // What stands where, for messages: "metadata key 'x'".
  void enter(std::string what) { what_ = std::move(what); }

  // `count` items of at least `bytes` each must still fit.
  void check_count(std::uint64_t count, std::uint64_t bytes) const {
    if (count <= left() / bytes) return;
    refuse(fmt::format("{}: claims {} items, but byte {} is followed by {} bytes{}", what_, count,
                       position_, left(), limit()));
  }

  void take(std::uint64_t bytes, void* out) {
    check_count(bytes, 1);
    char* to = static_cast<char*>(out);
    while (bytes > 0) {
      if (at_ == buffer_.size()) refill();
      const std::size_t count = std::min<std::uint64_t>(bytes, buffer_.size() - at_);
      std::memcpy(to, buffer_.data() + at_, count);
      at_ += count;
      to += count;
      position_ += count;
      bytes -= count;
    }
  }

  template <class T>
  T number() {
    T value{};
    take(sizeof value, &value);
    return value;
  }

  bool truth() {
    const auto value = number<std::uint8_t>();
    if (value > 1) refuse(fmt::format("{}: {} is not a truth value, 0 or 1", what_, value));
    return value == 1;
  }

  std::string text(std::uint64_t max_bytes) {
    const auto bytes = number<std::uint64_t>();
    check_count(bytes, 1);
    if (bytes > max_bytes) {
      refuse(fmt::format("{}: a text of {} bytes; at most {} are read", what_, bytes, max_bytes));
    }
    std::string text(bytes, '\0');
    take(bytes, text.data());
    if (!is_utf8(text)) refuse(fmt::format("{}: {} is not UTF-8", what_, lingua::quoted(text)));
    return text;
  }

 private:
  std::string limit() const {
    return end_ < file_.bytes() ? fmt::format(" (at most {} of metadata are read)", end_)
                                : " (is the file truncated?)";
  }

  void refill() {
    buffer_.resize(std::min<std::uint64_t>(kReadBytes, left()));
    file_.read(position_, buffer_.size(), buffer_.data());
    at_ = 0;
  }

  const SourceFile& file_;
  std::uint64_t end_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::string what_ = "header";
};

class HeaderParser {
 public:
  using Value = Gguf::Value;

  explicit HeaderParser(const SourceFile& file) : front_(file), file_bytes_(file.bytes()) {}

  GgufHeader run() {
    check_version();
    const auto tensor_count = front_.number<std::uint64_t>();
    const auto pair_count = front_.number<std::uint64_t>();
    front_.enter("metadata");
    front_.check_count(pair_count, kSmallestPair);
    for (std::uint64_t i = 0; i < pair_count; ++i) parse_pair(i);
    front_.enter("list of tensors");
    front_.check_count(tensor_count, kSmallestTensor);
    for (std::uint64_t i = 0; i < tensor_count; ++i) parse_tensor(i);
    place_tensors();
    return std::move(header_);
  }

 private:
  void check_version() {
    std::array<char, 4> magic{};
    front_.take(magic.size(), magic.data());
    if (std::string_view(magic.data(), magic.size()) != kGgufMagic) {
      front_.refuse("is not a GGUF file: it does not begin with 'GGUF'");
    }
    const auto version = front_.number<std::uint32_t>();
    if (version == 2 || version == 3) return;
    const bool swapped = version != 0 && (version & 0xffffU) == 0;
    front_.refuse(swapped ? "is a big-endian GGUF file; little-endian ones are read"
                          : fmt::format("GGUF version {} is not supported; 2 and 3 are", version));
  }

  void parse_pair(std::uint64_t index) {
    front_.enter(fmt::format("metadata key {}", index));
    std::string key = front_.text(kMaxNameBytes);
    where_ = fmt::format("metadata key {}", lingua::quoted(key));
    front_.enter(where_);
    if (header_.values.contains(key)) refuse("stands twice");
    Value value = parse_value(front_.number<std::uint32_t>());
    header_.values.emplace(std::move(key), std::move(value));
  }

  Value parse_value(std::uint32_t type) {
    switch (static_cast<Type>(type)) {
      case Type::kBool: return front_.truth();
      case Type::kString: return front_.text(kMaxMetadataBytes);
      case Type::kFloat32: return double{front_.number<float>()};
      case Type::kFloat64: return front_.number<double>();
      case Type::kArray: return parse_array();
      default: return integer(type);
    }
  }

  std::int64_t integer(std::uint32_t type) {
    switch (static_cast<Type>(type)) {
      case Type::kUint8: return front_.number<std::uint8_t>();
      case Type::kInt8: return front_.number<std::int8_t>();
      case Type::kUint16: return front_.number<std::uint16_t>();
      case Type::kInt16: return front_.number<std::int16_t>();
      case Type::kUint32: return front_.number<std::uint32_t>();
      case Type::kInt32: return front_.number<std::int32_t>();
      case Type::kInt64: return front_.number<std::int64_t>();
      case Type::kUint64: {
        const auto value = front_.number<std::uint64_t>();
        constexpr auto kMax = std::uint64_t(std::numeric_limits<std::int64_t>::max());
        if (value > kMax) refuse(fmt::format("{} is larger than {}", value, kMax));
        return static_cast<std::int64_t>(value);
      }
      default: refuse(fmt::format("value type {} is not known; 0 to 12 are", type));
    }
  }

  Value parse_array() {
    const auto type = front_.number<std::uint32_t>();
    const auto count = front_.number<std::uint64_t>();
    if (count > kMaxElements - elements_) {
      refuse(fmt::format("{} elements; a file may have {} in all its lists", count, kMaxElements));
    }
    elements_ += count;
    switch (static_cast<Type>(type)) {
      case Type::kArray: refuse("a list of lists is not supported");
      case Type::kBool: return list<bool>(count, 1, [&] { return front_.truth(); });
      case Type::kString:
        return list<std::string>(count, 8, [&] { return front_.text(kMaxMetadataBytes); });
      case Type::kFloat32: return list<double>(count, 4, [&] { return front_.number<float>(); });
      case Type::kFloat64: return list<double>(count, 8, [&] { return front_.number<double>(); });
      default: return list<std::int64_t>(count, 1, [&] { return integer(type); });
    }
  }

  template <class T, class Next>
  std::vector<T> list(std::uint64_t count, std::uint64_t smallest, const Next& next) {
    front_.check_count(count, smallest);
    std::vector<T> all;
    all.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) all.push_back(next());
    return all;
  }

  void parse_tensor(std::uint64_t index) {
    front_.enter(fmt::format("tensor {}", index));
    GgufTensor tensor;
    tensor.spec.name = front_.text(kMaxNameBytes);
    where_ = fmt::format("tensor {}", lingua::quoted(tensor.spec.name));
    front_.enter(where_);
    if (header_.tensors.contains(tensor.spec.name)) refuse("stands twice");
    tensor.spec.shape = dims();
    const auto type = front_.number<std::uint32_t>();
    tensor.format = find_block_format(type);
    if (tensor.format == nullptr) {
      refuse(fmt::format("type {} is not supported; supported are {}", block_format_name(type),
                         supported_block_formats()));
    }
    const std::int64_t row = tensor.spec.shape.empty() ? 1 : tensor.spec.shape.back();
    if (row % tensor.format->elements != 0) {
      refuse(fmt::format("rows of {} elements are not whole blocks of {} ({})", row,
                         tensor.format->elements, tensor.format->name));
    }
    tensor.spec.dtype = tensor.format->dtype;
    std::int64_t elements = 1;
    for (const std::int64_t dim : tensor.spec.shape) elements *= dim;
    tensor.bytes =
        static_cast<std::uint64_t>(elements / tensor.format->elements * tensor.format->bytes);
    tensor.position = front_.number<std::uint64_t>();
    header_.tensors.emplace(tensor.spec.name, std::move(tensor));
  }

  std::vector<std::int64_t> dims() {
    const auto count = front_.number<std::uint32_t>();
    if (count > kMaxDims) refuse(fmt::format("{} dimensions; at most {}", count, kMaxDims));
    std::vector<std::int64_t> dims;
    std::int64_t elements = 1;  // zeros left out: any order of multiplying must fit
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto dim = front_.number<std::uint64_t>();
      if (dim > std::uint64_t(kMaxTensorElements)) refuse(fmt::format("dimension {}", dim));
      dims.push_back(static_cast<std::int64_t>(dim));
      const std::int64_t factor = std::max(dims.back(), std::int64_t{1});
      if (elements > kMaxTensorElements / factor) {
        refuse(fmt::format("[{}] has more elements than a file can hold", fmt::join(dims, ", ")));
      }
      elements *= factor;
    }
    std::reverse(dims.begin(), dims.end());
    return dims;
  }

  std::uint64_t alignment() {
    const auto it = header_.values.find("general.alignment");
    if (it == header_.values.end()) return kDefaultAlignment;
    where_ = "metadata key 'general.alignment'";
    const auto* value = std::get_if<std::int64_t>(&it->second);
    const bool fits = value != nullptr && *value > 0 && *value <= kMaxAlignment &&
                      std::has_single_bit(static_cast<std::uint64_t>(*value));
    if (!fits) {
      const std::string shown = value != nullptr ? std::to_string(*value) : "its value";
      refuse(fmt::format("{} is not a power of two from 1 to {}", shown, kMaxAlignment));
    }
    return static_cast<std::uint64_t>(*value);
  }

  void place_tensors() {
    const std::uint64_t unit = alignment();
    const std::uint64_t data_begin = (front_.position() + unit - 1) / unit * unit;
    const std::uint64_t data_bytes = file_bytes_ - std::min(file_bytes_, data_begin);
    std::vector<const GgufTensor*> in_order;
    for (auto& [name, tensor] : header_.tensors) {
      where_ = fmt::format("tensor {}", lingua::quoted(name));
      if (tensor.position % unit != 0) {
        refuse(
            fmt::format("offset {} is not a multiple of the alignment, {}", tensor.position, unit));
      }
      if (tensor.bytes > data_bytes || tensor.position > data_bytes - tensor.bytes) {
        refuse(
            fmt::format("its {} bytes at offset {} reach beyond the {} bytes of data that the "
                        "file has (is it truncated?)",
                        tensor.bytes, tensor.position, data_bytes));
      }
      if (tensor.bytes > 0) in_order.push_back(&tensor);
    }
    std::sort(in_order.begin(), in_order.end(),
              [](const GgufTensor* a, const GgufTensor* b) { return a->position < b->position; });
    for (std::size_t i = 1; i < in_order.size(); ++i) {
      const GgufTensor& last = *in_order[i - 1];
      if (in_order[i]->position - last.position >= last.bytes) continue;
      where_ = fmt::format("tensor {}", lingua::quoted(in_order[i]->spec.name));
      refuse(fmt::format("begins at offset {}, within {}, whose {} bytes begin at {}",
                         in_order[i]->position, lingua::quoted(last.spec.name), last.bytes,
                         last.position));
    }
    for (auto& [name, tensor] : header_.tensors) tensor.position += data_begin;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    front_.refuse(fmt::format("{}: {}", where_, why));
  }

  Front front_;
  std::uint64_t file_bytes_;
  GgufHeader header_;
  std::uint64_t elements_ = 0;  // of the lists so far
  std::string where_;
};

}  // namespace

GgufHeader read_gguf_header(const SourceFile& file) { return HeaderParser(file).run(); }

}  // namespace lingua
