#pragma once
// GGUF files of metadata alone, for tests.

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace lingua {

class GgufMetadata {
 public:
  void add(const std::string& key, const std::string& value) {
    begin(key, 8);
    put_string(value);
  }
  void add(const std::string& key, const char* value) { add(key, std::string(value)); }
  void add(const std::string& key, bool value) {
    begin(key, 7);
    put(value ? 1 : 0, 1);
  }
  void add(const std::string& key, std::uint32_t value) {
    begin(key, 4);
    put(value, 4);
  }
  void add(const std::string& key, const std::vector<std::string>& values) {
    begin_list(key, 8, values.size());
    for (const std::string& value : values) put_string(value);
  }
  void add(const std::string& key, const std::vector<std::int32_t>& values) {
    begin_list(key, 5, values.size());
    for (const std::int32_t value : values) put(static_cast<std::uint32_t>(value), 4);
  }
  void add(const std::string& key, const std::vector<float>& values) {
    begin_list(key, 6, values.size());
    for (const float value : values) put(std::bit_cast<std::uint32_t>(value), 4);
  }

  // The bytes of a file without tensors.
  std::string file() const {
    GgufMetadata whole;
    whole.bytes_.append("GGUF");
    whole.put(3, 4);
    whole.put(0, 8);
    whole.put(count_, 8);
    return whole.bytes_ + bytes_;
  }

 private:
  void put(std::uint64_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) bytes_ += static_cast<char>(value & 0xFF);
  }
  void put_string(const std::string& text) {
    put(text.size(), 8);
    bytes_ += text;
  }
  void begin(const std::string& key, std::uint32_t type) {
    ++count_;
    put_string(key);
    put(type, 4);
  }
  void begin_list(const std::string& key, std::uint32_t type, std::size_t size) {
    begin(key, 9);
    put(type, 4);
    put(size, 8);
  }

  std::string bytes_;
  std::uint64_t count_ = 0;
};

}  // namespace lingua
