#include "runtime/checkpoint/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/checkpoint/source_file.h"

namespace lingua {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::uint64_t kLargestHeader = 64 << 10;
constexpr std::size_t kMostDimensions = 32;

constexpr std::array kTypes = {
    std::pair{std::string_view("f4"), DType::kFloat32},
    std::pair{std::string_view("f8"), DType::kFloat64},
    std::pair{std::string_view("f2"), DType::kFloat16},
    std::pair{std::string_view("i8"), DType::kInt64},
    std::pair{std::string_view("i4"), DType::kInt32},
    std::pair{std::string_view("i2"), DType::kInt16},
    std::pair{std::string_view("i1"), DType::kInt8},
    std::pair{std::string_view("u1"), DType::kUInt8},
    std::pair{std::string_view("b1"), DType::kBool},
};

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// The header is a Python dictionary; this reads the one form that the format allows.
class HeaderParser {
 public:
  HeaderParser(std::string path, std::string_view text) : path_(std::move(path)), rest_(text) {}

  Header run() {
    Header header;
    bool descr = false;
    bool order = false;
    bool shape = false;
    expect("{");
    while (!take("}")) {
      const std::string key = string("a key");
      expect(":");
      bool* seen = key == "descr"           ? &descr
                   : key == "fortran_order" ? &order
                   : key == "shape"         ? &shape
                                            : nullptr;
      if (seen == nullptr || *seen)
        fail(fmt::format("has the key '{}' once too often", one_line(key, 40)));
      *seen = true;
      if (seen == &descr) header.descr = element_type();
      if (seen == &order) header.fortran_order = boolean();
      if (seen == &shape) header.shape = numbers();
      if (!take(",")) {
        expect("}");
        break;
      }
    }
    skip_space();
    if (!rest_.empty()) fail("has something after its dictionary");
    if (!descr || !order || !shape) fail("lacks one of descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: is no array of NumPy: its header {}", path_, what));
  }

  void skip_space() {
    while (!rest_.empty() && std::string_view(" \n\r\t").find(rest_[0]) != std::string_view::npos)
      rest_.remove_prefix(1);
  }

  bool take(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  void expect(std::string_view token) {
    if (!take(token)) fail(fmt::format("lacks a '{}'", token));
  }

  std::string string(const char* what) {
    for (const char* quote : {"'", "\""}) {
      if (!take(quote)) continue;
      const auto end = rest_.find(quote[0]);
      if (end == std::string_view::npos) fail("has a text without an end");
      const std::string text(rest_.substr(0, end));
      rest_.remove_prefix(end + 1);
      return text;
    }
    fail(fmt::format("lacks {}", what));
  }

  std::string element_type() {
    skip_space();
    if (rest_.starts_with("[")) {
      throw InputError(fmt::format(
          "{}: descr: records with fields are not supported; accepted are numbers and bools",
          path_));
    }
    return string("an element type");
  }

  bool boolean() {
    if (take("True")) return true;
    if (take("False")) return false;
    fail("says neither True nor False of fortran_order");
  }

  std::vector<std::int64_t> numbers() {
    std::vector<std::int64_t> all;
    expect("(");
    while (!take(")")) {
      skip_space();
      std::int64_t number = 0;
      const char* last = rest_.data() + rest_.size();
      const auto [end, error] = std::from_chars(rest_.data(), last, number);
      if (error != std::errc() || number < 0) fail("has a dimension that is no size");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      take("L");  // a long of Python 2
      all.push_back(number);
      if (all.size() > kMostDimensions) {
        fail(fmt::format("has more than {} dimensions", kMostDimensions));
      }
      if (!take(",")) {
        expect(")");
        break;
      }
    }
    return all;
  }

  std::string path_;
  std::string_view rest_;
};

struct ElementType {
  DType dtype;
  bool big_endian;
};

ElementType element_type(const std::string& path, const std::string& descr) {
  const char order = descr.empty() ? ' ' : descr[0];
  const std::string_view kind =
      std::string_view(descr).substr(std::min<std::size_t>(1, descr.size()));
  for (const auto& [name, dtype] : kTypes) {
    if (kind != name || std::string_view("<>|=").find(order) == std::string_view::npos) continue;
    return {dtype, order == '>'};
  }
  const bool object = kind.starts_with("O");
  throw InputError(fmt::format(
      "{}: descr '{}': {} not supported; accepted are float16, float32, float64, int8 to int64, "
      "uint8 and bool",
      path, one_line(descr, 40), object ? "Python objects are" : "this element type is"));
}

// Bytes of the array; nothing when they are more than any file has.
std::optional<std::uint64_t> bytes_of(const Header& header, DType dtype) {
  std::uint64_t bytes = static_cast<std::uint64_t>(dtype_bytes(dtype));
  if (std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end()) return 0;
  for (const std::int64_t dim : header.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dim), &bytes)) return std::nullopt;
  }
  return bytes;
}

// From the first index varying fastest to the last one.
std::vector<std::byte> to_row_major(const NpyArray& array) {
  const auto size = static_cast<std::size_t>(dtype_bytes(array.dtype));
  std::vector<std::byte> result(array.data.size());
  const std::size_t count = array.data.size() / size;
  std::vector<std::int64_t> index(array.shape.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {  // i counts as the file does
    std::size_t at = 0;
    for (std::size_t d = 0; d < index.size(); ++d) {
      at = at * static_cast<std::size_t>(array.shape[d]) + static_cast<std::size_t>(index[d]);
    }
    std::memcpy(result.data() + at * size, array.data.data() + i * size, size);
    for (std::size_t d = 0; d < index.size(); ++d) {
      if (++index[d] < array.shape[d]) break;
      index[d] = 0;
    }
  }
  return result;
}

Header read_header(const SourceFile& file, std::uint64_t* data_begin) {
  std::array<unsigned char, 12> start{};
  const auto available = std::min<std::uint64_t>(file.bytes(), start.size());
  file.read(0, available, reinterpret_cast<std::byte*>(start.data()));
  if (available < 10 || std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
    throw InputError(fmt::format(
        "{}: is no array of NumPy; write a .npy file, as numpy.save makes it", file.path()));
  }
  const int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0 || (version > 1 && available < 12)) {
    throw InputError(fmt::format("{}: is an array of format version {}.{}; accepted are 1.0 to 3.0",
                                 file.path(), version, start[7]));
  }
  std::uint64_t bytes = start[8] | start[9] << 8;
  if (version > 1)
    bytes |= static_cast<std::uint64_t>(start[10]) << 16 | static_cast<std::uint64_t>(start[11])
                                                               << 24;
  const std::uint64_t begin = version == 1 ? 10 : 12;
  if (bytes > kLargestHeader || bytes > file.bytes() - begin) {
    throw InputError(fmt::format("{}: its header of {} bytes does not fit; the file has {}",
                                 file.path(), bytes, file.bytes()));
  }
  std::string text(bytes, '\0');
  file.read(begin, bytes, reinterpret_cast<std::byte*>(text.data()));
  *data_begin = begin + bytes;
  return HeaderParser(file.path(), text).run();
}

}  // namespace

NpyArray read_npy(const std::filesystem::path& path) {
  const SourceFile file(path);
  std::uint64_t begin = 0;
  const Header header = read_header(file, &begin);
  const ElementType type = element_type(file.path(), header.descr);
  const auto bytes = bytes_of(header, type.dtype);
  if (!bytes || *bytes != file.bytes() - begin) {
    throw InputError(fmt::format(
        "{}: shape ({}) of {} does not take the {} bytes that the file has", file.path(),
        fmt::join(header.shape, ", "), dtype_name(type.dtype), file.bytes() - begin));
  }
  NpyArray array{type.dtype, header.shape, std::vector<std::byte>(*bytes)};
  file.read(begin, *bytes, array.data.data());
  const auto size = dtype_bytes(type.dtype);
  if (type.big_endian && size > 1) {
    for (auto at = array.data.begin(); at != array.data.end(); at += size) {
      std::reverse(at, at + size);
    }
  }
  if (type.dtype == DType::kBool) {
    for (std::byte& value : array.data) value = value == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  if (header.fortran_order && array.shape.size() > 1) array.data = to_row_major(array);
  return array;
}

void write_npy(std::ostream& out, DType dtype, const std::vector<std::int64_t>& shape,
               const std::byte* data) {
  const DType stored = dtype == DType::kBFloat16 ? DType::kFloat32 : dtype;
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const auto& entry) { return entry.second == stored; });
  LINGUA_CHECK(type != kTypes.end(), "a dtype that NumPy does not have");
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': (",
                                   dtype_bytes(stored) == 1 ? '|' : '<', type->first);
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) {
    header += fmt::format("{}{}", header.back() == '(' ? "" : " ", dim) + ",";
    count *= dim;
  }
  if (shape.size() > 1) header.pop_back();
  header += "), }";
  while ((kMagic.size() + 4 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  out << kMagic << '\x01' << '\0' << static_cast<char>(header.size() & 0xff)
      << static_cast<char>(header.size() >> 8) << header;
  if (stored == dtype) {
    out.write(reinterpret_cast<const char*>(data), count * dtype_bytes(dtype));
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {  // bf16 is the upper half of a float32
    const std::array<char, 4> wide = {0, 0, static_cast<char>(data[2 * i]),
                                      static_cast<char>(data[2 * i + 1])};
    out.write(wide.data(), wide.size());
  }
}

}  // namespace lingua
