#include "runtime/checkpoint/gguf.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/checkpoint/gguf_blocks.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/memory_file.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Writer = testing::GgufWriter;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ8 = 8;
constexpr std::uint32_t kQ4K = 12;

// Reads all that a file promises, in pieces: what a damaged file must survive.
void read_everything(const Gguf& file) {
  constexpr std::int64_t kPiece = 4096;
  std::vector<std::byte> piece(kPiece);
  for (const std::string& name : file.names()) {
    const WeightSpec& spec = *file.find(name);
    for (std::int64_t at = 0; at < spec.bytes(); at += kPiece) {
      file.read(name, at, std::min(kPiece, spec.bytes() - at), piece.data());
    }
  }
}

class GgufFile : public ::testing::Test {
 protected:
  fs::path write(const std::string& bytes) const {
    const fs::path path = folder_.path() / "model.gguf";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // What opening and reading such a file, in memory, says; empty when all is well.
  std::string refusal(const std::string& bytes) const {
    file_.write(bytes);
    try {
      read_everything(Gguf(file_.path()));
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  template <class T>
  static std::vector<T> read(const Gguf& file, const std::string& name, std::int64_t first,
                             std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    file.read(name, first * static_cast<std::int64_t>(sizeof(T)),
              count * static_cast<std::int64_t>(sizeof(T)),
              reinterpret_cast<std::byte*>(values.data()));
    return values;
  }

  // A little of everything.
  static std::string sample() {
    Rng rng(7);
    std::string blocks;
    for (int i = 0; i < 2 * 144; ++i) blocks += static_cast<char>(rng.below(256));
    Writer writer;
    writer.text("general.architecture", "llama").integer("llama.block_count", 2);
    writer.number("llama.rope.freq_base", 10000).pair("flag", Writer::kBool, "\1");
    writer.list<std::string>("tokenizer.ggml.tokens", Writer::kString, {"<s>", "\u2581a", "b"});
    writer.list<float>("tokenizer.ggml.scores", Writer::kFloat32, {0, -1, -2});
    writer.list<std::int32_t>("tokenizer.ggml.token_type", Writer::kInt32, {3, 1, 1});
    writer.floats("token_embd.weight", {4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    writer.tensor("blk.0.attn_q.weight", kQ8, {32, 2}, std::string(68, '\x11'));
    writer.tensor("blk.0.attn_v.weight", kQ4K, {256, 2}, blocks);
    return writer.file();
  }

  TemporaryFolder folder_;
  testing::MemoryFile file_;
};

TEST_F(GgufFile, GivesMetadataOfEveryType) {
  Writer writer;
  writer.pair("u8", Writer::kUint8, "\xff").pair("i8", Writer::kInt8, "\xff");
  writer.pair("u16", Writer::kUint16, Writer::raw<std::uint16_t>(65535));
  writer.pair("i16", Writer::kInt16, Writer::raw<std::int16_t>(-2));
  writer.integer("u32", 4294967295U).pair("i32", Writer::kInt32, Writer::raw(-3));
  writer.pair("u64", Writer::kUint64, Writer::raw<std::uint64_t>(INT64_MAX));
  writer.pair("i64", Writer::kInt64, Writer::raw<std::int64_t>(INT64_MIN));
  writer.number("f32", 0.5F).pair("f64", Writer::kFloat64, Writer::raw(0.1));
  writer.pair("no", Writer::kBool, std::string(1, '\0')).text("text", "caf\u00e9");
  writer.list<std::uint8_t>("bytes", Writer::kUint8, {1, 255});
  writer.list<std::int64_t>("longs", Writer::kInt64, {-1});
  writer.list<std::int8_t>("truths", Writer::kBool, {1, 0});
  writer.list<double>("doubles", Writer::kFloat64, {1.5});
  writer.list<std::string>("texts", Writer::kString, {"", "b"});
  for (const std::uint32_t version : {2, 3}) {
    writer.version = version;
    const Gguf file(write(writer.file()));
    EXPECT_EQ(file.value<std::int64_t>("u8"), 255);
    EXPECT_EQ(file.value<std::int64_t>("i8"), -1);
    EXPECT_EQ(file.value<std::int64_t>("u16"), 65535);
    EXPECT_EQ(file.value<std::int64_t>("i16"), -2);
    EXPECT_EQ(file.value<std::int64_t>("u32"), 4294967295);
    EXPECT_EQ(file.value<std::int64_t>("i32"), -3);
    EXPECT_EQ(file.value<std::int64_t>("u64"), INT64_MAX);
    EXPECT_EQ(file.value<std::int64_t>("i64"), INT64_MIN);
    EXPECT_EQ(file.value<double>("f32"), 0.5);
    EXPECT_EQ(file.value<double>("f64"), 0.1);
    EXPECT_EQ(file.value<bool>("no"), false);
    EXPECT_EQ(file.value<std::string>("text"), "caf\u00e9");
    EXPECT_THAT(file.value<std::vector<std::int64_t>>("bytes"), ElementsAre(1, 255));
    EXPECT_THAT(file.value<std::vector<std::int64_t>>("longs"), ElementsAre(-1));
    EXPECT_THAT(file.value<std::vector<bool>>("truths"), ElementsAre(true, false));
    EXPECT_THAT(file.value<std::vector<double>>("doubles"), ElementsAre(1.5));
    EXPECT_THAT(file.value<std::vector<std::string>>("texts"), ElementsAre("", "b"));
    EXPECT_EQ(file.find_value("other"), nullptr);
  }
}

TEST_F(GgufFile, NamesTheKeyThatIsMissingOrOfAnotherType) {
  const Gguf file(write(Writer().text("name", "x").file()));
  const auto said = [&](const auto& ask) -> std::string {
    try {
      ask();
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(said([&] { file.value<std::int64_t>("name"); }),
              AllOf(HasSubstr("model.gguf"), HasSubstr("'name' is a string; an integer")));
  EXPECT_THAT(said([&] { file.value<double>("other"); }), HasSubstr("'other' is missing"));
}

TEST_F(GgufFile, GivesShapesOutermostFirstAndValuesAsTheyStand) {
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 0.5F);
  Writer writer;
  writer.floats("cube", {4, 3, 2}, values).floats("scalar", {}, {7}).floats("none", {0, 5}, {});
  writer.tensor("half", 1, {3}, Writer::raw<std::uint16_t>(0x3c00) + "abcd");
  writer.tensor("brain", 30, {2}, "wxyz");
  const Gguf file(write(writer.file()));
  EXPECT_EQ(*file.find("cube"), (WeightSpec{"cube", DType::kFloat32, {2, 3, 4}}));
  EXPECT_EQ(*file.find("half"), (WeightSpec{"half", DType::kFloat16, {3}}));
  EXPECT_EQ(*file.find("brain"), (WeightSpec{"brain", DType::kBFloat16, {2}}));
  EXPECT_EQ(file.find("none")->bytes(), 0);
  EXPECT_EQ(file.find("other"), nullptr);
  EXPECT_THAT(file.names(), ElementsAre("brain", "cube", "half", "none", "scalar"));
  EXPECT_THAT(read<float>(file, "cube", 5, 3), ElementsAre(5.5F, 6.5F, 7.5F));
  EXPECT_THAT(read<float>(file, "scalar", 0, 1), ElementsAre(7.0F));
  EXPECT_THAT(read<std::uint16_t>(file, "half", 0, 1), ElementsAre(0x3c00));
  EXPECT_THAT(read<char>(file, "brain", 0, 4), ElementsAre('w', 'x', 'y', 'z'));
}

TEST_F(GgufFile, DequantisesAnyRangeAsTheWhole) {
  constexpr std::int64_t kElements = 256 * 700;  // more than is read from the file at once
  Rng rng(3);
  std::string blocks;
  for (std::int64_t i = 0; i < kElements / 256 * 144; ++i) {
    blocks += static_cast<char>(rng.below(256));
  }
  for (std::size_t i = 0; i < blocks.size(); i += 144) {
    blocks[i + 1] = blocks[i + 3] = '\x2c';  // scales that are numbers
  }
  const Gguf file(write(Writer().tensor("w", kQ4K, {kElements / 7, 7}, blocks).file()));
  const std::vector<float> whole = read<float>(file, "w", 0, kElements);
  std::vector<float> block(256);
  find_block_format(kQ4K)->dequantise(reinterpret_cast<const std::byte*>(blocks.data()) + 699 * 144,
                                      block.data());
  EXPECT_TRUE(std::equal(block.begin(), block.end(), whole.end() - 256));
  for (int i = 0; i < 300; ++i) {
    const auto first = static_cast<std::int64_t>(rng.below(kElements));
    const auto count = static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(i < 280 ? 600 : kElements - first) + 1));
    const std::int64_t wanted = std::min(count, kElements - first);
    const std::vector<float> part = read<float>(file, "w", first, wanted);
    ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first)) << first;
  }
}

TEST_F(GgufFile, HonoursItsAlignment) {
  Writer writer;
  writer.alignment = 256;
  writer.integer("general.alignment", 256).floats("a", {1}, {1}).floats("b", {1}, {2});
  const Gguf file(write(writer.file()));
  EXPECT_THAT(read<float>(file, "b", 0, 1), ElementsAre(2.0F));
}

TEST_F(GgufFile, IsToldByItsFirstBytes) {
  EXPECT_TRUE(Gguf::is_gguf(write(sample())));
  EXPECT_FALSE(Gguf::is_gguf(write("GGU")));
  EXPECT_FALSE(Gguf::is_gguf(write("GGML and more")));
  EXPECT_FALSE(Gguf::is_gguf(folder_.path()));
  EXPECT_FALSE(Gguf::is_gguf(folder_.path() / "missing"));
}

TEST_F(GgufFile, IsRefusedWhenItIsNoFileOfAKnownVersion) {
  EXPECT_THAT(refusal(""), HasSubstr("truncated"));
  EXPECT_THAT(refusal("PK\3\4 and more"), HasSubstr("does not begin with 'GGUF'"));
  Writer writer;
  writer.version = 1;
  EXPECT_THAT(refusal(writer.file()), AllOf(HasSubstr("version 1"), HasSubstr("2 and 3")));
  writer.version = 3U << 24;
  EXPECT_THAT(refusal(writer.file()), HasSubstr("big-endian"));
  const fs::path pipe = folder_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(const Gguf file(pipe), InputError);
  EXPECT_THROW(const Gguf file(folder_.path()), InputError);
}

TEST_F(GgufFile, IsRefusedWhereverItIsCutShort) {
  const std::string good = sample();
  ASSERT_EQ(refusal(good), "");
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::string said = refusal(good.substr(0, size));
    ASSERT_THAT(said, AllOf(HasSubstr(file_.path() + ": "), Not(HasSubstr("\n")))) << size;
  }
}

TEST_F(GgufFile, IsRefusedWithCountsThatItCannotHold) {
  const std::uint64_t huge[] = {1ULL << 20, 1ULL << 40, UINT64_MAX, UINT64_MAX / 8 + 1};
  for (const std::uint64_t count : huge) {
    Writer pairs = Writer().text("a", "b");
    pairs.pair_count = count;
    EXPECT_THAT(refusal(pairs.file()), AllOf(HasSubstr("metadata"), HasSubstr("claims"))) << count;
    Writer tensors = Writer().floats("a", {1}, {1});
    tensors.tensor_count = count;
    EXPECT_THAT(refusal(tensors.file()), HasSubstr("claims")) << count;
    for (const std::uint32_t type : {Writer::kUint8, Writer::kBool, Writer::kString}) {
      EXPECT_THAT(
          refusal(
              Writer().pair("list", Writer::kArray, Writer::raw(type) + Writer::raw(count)).file()),
          HasSubstr("metadata key 'list'"))
          << count;
    }
    EXPECT_THAT(refusal(Writer().pair("text", Writer::kString, Writer::raw(count)).file()),
                AllOf(HasSubstr("'text'"), HasSubstr("claims")));
    EXPECT_THAT(refusal(Writer().entry("w", kF32, {count}, 0).file()), HasSubstr("tensor 'w'"));
  }
}

TEST_F(GgufFile, IsRefusedWithDimensionsWhoseProductOverflows) {
  const std::uint64_t big = 1ULL << 33;
  EXPECT_THAT(refusal(Writer().entry("w", kF32, {big, big}, 0).file()),
              AllOf(HasSubstr("'w'"), HasSubstr("more elements")));
  EXPECT_THAT(refusal(Writer().entry("w", kQ8, {big, big, big, big}, 0).file()),
              HasSubstr("more elements"));
  EXPECT_THAT(refusal(Writer().entry("w", kF32, {0, big, big}, 0).file()),
              HasSubstr("more elements"));
  EXPECT_THAT(refusal(Writer().entry("w", kF32, {0, UINT64_MAX}, 0).file()),
              HasSubstr("dimension"));
  EXPECT_THAT(refusal(Writer().entry("w", kF32, {1, 1, 1, 1, 1}, 0).file()),
              HasSubstr("at most 4"));
}

TEST_F(GgufFile, IsRefusedWhenTensorsDoNotFitItsData) {
  const auto with = [](std::uint64_t offset) {
    return Writer().entry("w", kF32, {8}, offset).data(std::string(64, 'x')).file();
  };
  EXPECT_EQ(refusal(with(32)), "");
  EXPECT_THAT(refusal(with(64)), AllOf(HasSubstr("'w'"), HasSubstr("beyond the 64 bytes")));
  EXPECT_THAT(refusal(with(1ULL << 40)), HasSubstr("beyond"));
  EXPECT_THAT(refusal(with(UINT64_MAX - 31)), HasSubstr("beyond"));
  EXPECT_THAT(refusal(with(4)), HasSubstr("multiple of the alignment, 32"));
  EXPECT_THAT(refusal(Writer()
                          .entry("a", kF32, {16}, 0)
                          .entry("b", kF32, {8}, 32)
                          .data(std::string(64, 'x'))
                          .file()),
              AllOf(HasSubstr("'b'"), HasSubstr("within 'a'")));
  EXPECT_THAT(refusal(Writer()
                          .entry("a", kF32, {8}, 0)
                          .entry("b", kF32, {8}, 0)
                          .data(std::string(64, 'x'))
                          .file()),
              HasSubstr("within"));
}

TEST_F(GgufFile, IsRefusedWithTypesThatNobodyKnows) {
  EXPECT_THAT(refusal(Writer().entry("w", 10, {256}, 0).file()),
              AllOf(HasSubstr("10 (Q2_K)"), HasSubstr("IQ4_NL")));
  EXPECT_THAT(refusal(Writer().entry("w", 4, {256}, 0).file()), HasSubstr("type 4 "));
  EXPECT_THAT(refusal(Writer().entry("w", UINT32_MAX, {256}, 0).file()), HasSubstr("4294967295"));
  EXPECT_THAT(refusal(Writer().entry("w", kQ4K, {128, 2}, 0).file()),
              AllOf(HasSubstr("128"), HasSubstr("blocks of 256")));
  EXPECT_THAT(refusal(Writer().pair("x", 13, "abcdefgh").file()),
              AllOf(HasSubstr("'x'"), HasSubstr("value type 13")));
  EXPECT_THAT(refusal(Writer().list<std::uint8_t>("x", 77, {1}).file()), HasSubstr("type 77"));
}

TEST_F(GgufFile, IsRefusedWithNamesThatStandTwice) {
  EXPECT_THAT(refusal(Writer().integer("a", 1).text("a", "b").file()),
              AllOf(HasSubstr("metadata key 'a'"), HasSubstr("twice")));
  EXPECT_THAT(refusal(Writer().floats("w", {1}, {1}).floats("w", {1}, {1}).file()),
              AllOf(HasSubstr("tensor 'w'"), HasSubstr("twice")));
}

TEST_F(GgufFile, IsRefusedWithValuesThatMeanNothing) {
  EXPECT_THAT(refusal(Writer().pair("b", Writer::kBool, "\2").file()), HasSubstr("truth value"));
  EXPECT_THAT(refusal(Writer().pair("n", Writer::kUint64, std::string(8, '\xff')).file()),
              HasSubstr("18446744073709551615 is larger"));
  std::string nested = Writer::raw<std::uint32_t>(Writer::kArray) + Writer::raw<std::uint64_t>(1);
  for (int i = 0; i < 12; ++i) nested += nested.substr(0, 12);
  EXPECT_THAT(refusal(Writer().pair("n", Writer::kArray, nested).file()),
              HasSubstr("list of lists"));
  for (const std::uint32_t alignment : {0U, 3U, 48U, 1U << 21, UINT32_MAX}) {
    EXPECT_THAT(refusal(Writer().integer("general.alignment", alignment).file()),
                AllOf(HasSubstr(std::to_string(alignment)), HasSubstr("power of two")));
  }
  EXPECT_THAT(refusal(Writer().text("general.alignment", "32").file()),
              HasSubstr("'general.alignment'"));
}

TEST_F(GgufFile, IsRefusedWithTextThatIsNotUtf8) {
  const std::string bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"};
  for (const std::string& text : bad) {
    EXPECT_THAT(refusal(Writer().text("k", text).file()), HasSubstr("not UTF-8"));
    EXPECT_THAT(refusal(Writer().integer(text, 1).file()), HasSubstr("not UTF-8"));
    EXPECT_THAT(refusal(Writer().floats(text, {1}, {1}).file()), HasSubstr("not UTF-8"));
    EXPECT_THAT(refusal(Writer().list<std::string>("k", Writer::kString, {"a", text}).file()),
                HasSubstr("not UTF-8"));
  }
}

TEST_F(GgufFile, SurvivesAnyBitsFlipped) {
  const std::string good = sample();
  Rng rng(2024);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bad = good;
    for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) {
      bad[rng.below(bad.size())] ^= static_cast<char>(1 << rng.below(8));
    }
    if (!refusal(bad).empty()) ++refused;
  }
  // About half of the file is metadata, and much of that is text, where a flip is another text.
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 4000);
}

TEST_F(GgufFile, SaysSoWhenItShrinksAfterItWasOpened) {
  const fs::path path = write(sample());
  const Gguf file(path);
  fs::resize_file(path, fs::file_size(path) - 144);
  EXPECT_THROW(read_everything(file), InputError);
}

}  // namespace
}  // namespace lingua
