#include "runtime/checkpoint/gguf_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<float> dequantised(const BlockFormat& format, const std::vector<std::byte>& blocks) {
  const std::size_t count = blocks.size() / static_cast<std::size_t>(format.bytes);
  std::vector<float> floats(count * static_cast<std::size_t>(format.elements));
  for (std::size_t i = 0; i < count; ++i) {
    format.dequantise(blocks.data() + i * static_cast<std::size_t>(format.bytes),
                      floats.data() + i * static_cast<std::size_t>(format.elements));
  }
  return floats;
}

// golden/README.md says how the file is made.
TEST(GgufBlocks, GiveTheFloatsOfTheGgufPackageBitForBit) {
  const std::string path = LINGUA_GOLDEN "/gguf_blocks.json";
  const nlohmann::json rows = parse_json(read_file(path), path, 3);
  std::set<std::string> seen;
  for (const nlohmann::json& row : rows) {
    const BlockFormat* format = find_block_format(row.at("id").get<std::uint32_t>());
    ASSERT_NE(format, nullptr) << row.at("format");
    EXPECT_EQ(format->name, row.at("format").get<std::string>());
    const std::vector<std::byte> blocks = from_hex(row.at("blocks"));
    ASSERT_EQ(blocks.size() % static_cast<std::size_t>(format->bytes), 0U);
    const std::vector<float> got = dequantised(*format, blocks);
    const std::vector<std::byte> expected = from_hex(row.at("float32"));
    ASSERT_EQ(got.size() * sizeof(float), expected.size());
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), expected.size()), 0) << format->name;
    seen.insert(format->name);
  }
  EXPECT_EQ(seen.size(), 9U);  // all that are dequantised
}

TEST(GgufBlocks, KeepAScaleThatIsInfiniteOrNoNumber) {
  const BlockFormat* format = find_block_format(8);
  std::vector<std::byte> block(static_cast<std::size_t>(format->bytes), std::byte{1});
  const auto first = [&](std::uint16_t scale) {
    std::memcpy(block.data(), &scale, sizeof scale);
    return dequantised(*format, block)[0];
  };
  EXPECT_EQ(first(0x7c00), INFINITY);
  EXPECT_EQ(first(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(first(0x7e00)));
  EXPECT_EQ(first(0x3c00), 1.0F);
  EXPECT_EQ(first(0x7bff), 65504.0F);
  EXPECT_EQ(first(0x0001), 0x1.0p-24F);
}

TEST(GgufBlocks, AreNamedAlsoWhenNotSupported) {
  EXPECT_EQ(find_block_format(10), nullptr);
  EXPECT_EQ(block_format_name(10), "10 (Q2_K)");
  EXPECT_EQ(block_format_name(12), "12 (Q4_K)");
  EXPECT_EQ(block_format_name(4), "4");
}

}  // namespace
}  // namespace lingua
