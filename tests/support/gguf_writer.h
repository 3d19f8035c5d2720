#pragma once
// Small GGUF files for tests, correct ones and (through the raw calls) any others.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lingua::testing {

class GgufWriter {
 public:
  // Types of values, as the format numbers them.
  enum Type : std::uint32_t {
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

  template <class T>
  static std::string raw(const T& value) {
    if constexpr (std::is_convertible_v<T, std::string>) {
      const std::string text(value);
      return raw(static_cast<std::uint64_t>(text.size())) + text;
    } else {
      return {reinterpret_cast<const char*>(&value), sizeof value};
    }
  }

  // A key of any type; `value` is its bytes.
  GgufWriter& pair(const std::string& key, std::uint32_t type, const std::string& value) {
    pairs_ += raw(key) + raw(type) + value;
    ++pair_count;
    return *this;
  }
  GgufWriter& integer(const std::string& key, std::uint32_t value) {
    return pair(key, kUint32, raw(value));
  }
  GgufWriter& number(const std::string& key, float value) {
    return pair(key, kFloat32, raw(value));
  }
  GgufWriter& text(const std::string& key, const std::string& value) {
    return pair(key, kString, raw(value));
  }
  template <class T>
  GgufWriter& list(const std::string& key, std::uint32_t type, const std::vector<T>& values) {
    std::string bytes = raw(type) + raw(static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) bytes += raw(value);
    return pair(key, kArray, bytes);
  }

  // A tensor behind those before it; `dims` as in the file: the innermost first.
  GgufWriter& tensor(const std::string& name, std::uint32_t type,
                     const std::vector<std::uint64_t>& dims, const std::string& data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    entry(name, type, dims, data_.size());
    data_ += data;
    return *this;
  }
  GgufWriter& floats(const std::string& name, const std::vector<std::uint64_t>& dims,
                     const std::vector<float>& values) {
    return tensor(name, 0, dims,
                  {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }
  // The entry alone, with any offset.
  GgufWriter& entry(const std::string& name, std::uint32_t type,
                    const std::vector<std::uint64_t>& dims, std::uint64_t offset) {
    entries_ += raw(name) + raw(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) entries_ += raw(dim);
    entries_ += raw(type) + raw(offset);
    ++tensor_count;
    return *this;
  }
  GgufWriter& data(const std::string& bytes) {
    data_ += bytes;
    return *this;
  }

  std::string file() const {
    std::string bytes = "GGUF" + raw(version) + raw(tensor_count) + raw(pair_count);
    bytes += pairs_ + entries_;
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    return bytes + data_;
  }

  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::uint64_t tensor_count = 0;
  std::uint64_t pair_count = 0;

 private:
  std::string pairs_;
  std::string entries_;
  std::string data_;
};

}  // namespace lingua::testing
