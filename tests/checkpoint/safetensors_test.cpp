#include "runtime/checkpoint/safetensors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SafetensorsFile : public ::testing::Test {
 protected:
  SafetensorsFile()
      : folder_(fs::path(::testing::TempDir()) /
                (std::string("safetensors_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~SafetensorsFile() override { fs::remove_all(folder_); }

  fs::path path(const std::string& name = "model.safetensors") const { return folder_ / name; }

  static void write_raw(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  // A file of the given header and that many bytes of data, each its position.
  static std::string file_of(const std::string& header, std::size_t data_bytes) {
    const std::uint64_t size = header.size();
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += header;
    for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i);
    return bytes;
  }

  // What opening such a file says; empty when it opens.
  std::string refusal(const std::string& bytes) const {
    write_raw(path(), bytes);
    try {
      const Safetensors file(path());
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_;
};

TEST_F(SafetensorsFile, GivesBackWhatWasWrittenInPieces) {
  const std::vector<WeightSpec> specs = {{"a", DType::kFloat32, {2, 3}},
                                         {"b.weight", DType::kBFloat16, {5}},
                                         {"empty", DType::kFloat32, {0}},
                                         {"scalar", DType::kInt64, {}}};
  std::vector<std::byte> content(64);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i * 7);
  write_safetensors(path(), specs, [&](const WeightSpec& spec, const AppendBytes& append) {
    append(content.data(), spec.bytes() / 2);
    append(content.data() + spec.bytes() / 2, spec.bytes() - spec.bytes() / 2);
  });
  const Safetensors file(path());
  ASSERT_EQ(file.tensors().size(), specs.size());
  for (const WeightSpec& spec : specs) {
    EXPECT_EQ(file.tensors().at(spec.name), spec);
    std::vector<std::byte> read(static_cast<std::size_t>(spec.bytes()));
    file.read(spec.name, 0, spec.bytes(), read.data());
    EXPECT_TRUE(std::equal(read.begin(), read.end(), content.begin())) << spec.name;
  }
  std::array<std::byte, 4> middle;
  file.read("a", 8, 4, middle.data());
  EXPECT_EQ(std::memcmp(middle.data(), content.data() + 8, 4), 0);
}

TEST_F(SafetensorsFile, ReadsAHeaderWrittenByOthers) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"x":{"dtype":"F16","shape":[1,2],"data_offsets":[4,8]},)"
      R"("y":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}   )";
  ASSERT_EQ(refusal(file_of(header, 8)), "");
  const Safetensors file(path());
  std::array<std::byte, 2> bytes;
  file.read("x", 2, 2, bytes.data());
  EXPECT_EQ(bytes[0], std::byte{6});
  EXPECT_EQ(bytes[1], std::byte{7});
}

TEST_F(SafetensorsFile, LeavesNothingBehindWhenWritingFails) {
  const auto fail = [](const WeightSpec&, const AppendBytes&) { throw InputError("no more"); };
  EXPECT_THROW(write_safetensors(path(), {{"a", DType::kFloat32, {2}}}, fail), InputError);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(SafetensorsFile, IsRefusedWhenTensorsDoNotFitItsData) {
  const auto entry = [](const char* shape, const char* offsets) {
    return fmt::format(R"({{"w":{{"dtype":"F32","shape":{},"data_offsets":{}}}}})", shape, offsets);
  };
  EXPECT_THAT(refusal(file_of(entry("[4]", "[0,16]"), 12)),
              AllOf(HasSubstr("'w'"), HasSubstr("truncated"), HasSubstr("16"), HasSubstr("12")));
  EXPECT_THAT(refusal(file_of(entry("[3]", "[0,16]"), 16)),
              AllOf(HasSubstr("'w'"), HasSubstr("needs 12"), HasSubstr("hold 16")));
  EXPECT_THAT(refusal(file_of(entry("[4]", "[0,16]"), 20)), HasSubstr("end at byte 16"));
  EXPECT_THAT(refusal(file_of(entry("[4]", "[4,20]"), 20)), HasSubstr("hole"));
  EXPECT_THAT(refusal(file_of(entry("[4]", "[16,0]"), 16)), HasSubstr("data_offsets"));
  EXPECT_THAT(refusal(file_of(entry("[-4]", "[0,16]"), 16)), HasSubstr("shape"));
  EXPECT_THAT(refusal(file_of(entry("[2.0,2]", "[0,16]"), 16)), HasSubstr("shape"));
  EXPECT_THAT(refusal(file_of(entry("[4294967296,4294967296,4]", "[0,0]"), 0)),
              HasSubstr("more elements"));
  EXPECT_THAT(refusal(file_of(entry("[0,4294967296,4294967296]", "[0,0]"), 0)),
              HasSubstr("more elements"));
  EXPECT_THAT(refusal(file_of(entry("[0,18446744073709551615]", "[0,0]"), 0)), HasSubstr("shape"));
}

TEST_F(SafetensorsFile, IsRefusedWhenTensorsOverlap) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})";
  EXPECT_THAT(refusal(file_of(header, 6)), AllOf(HasSubstr("'b'"), HasSubstr("overlaps")));
}

TEST_F(SafetensorsFile, IsRefusedWithAMalformedHeader) {
  EXPECT_THAT(refusal("\x01\x02\x03"), HasSubstr("too few"));
  EXPECT_THAT(refusal(std::string(8, '\xff')), HasSubstr("claims"));
  const std::uint64_t huge = 1ULL << 40;
  EXPECT_THAT(refusal(std::string(reinterpret_cast<const char*>(&huge), 8) + "{}"),
              HasSubstr("claims"));
  EXPECT_THAT(refusal(file_of("{", 0)), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(file_of("[1]", 0)), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(file_of(R"({"w":3})", 0)), HasSubstr("'w'"));
  EXPECT_THAT(refusal(file_of(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4)),
              HasSubstr("'dtype'"));
  EXPECT_THAT(refusal(file_of(R"({"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4)),
              AllOf(HasSubstr("F8_E4M3"), HasSubstr("BF16")));
  EXPECT_THAT(refusal(file_of(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                              R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                              1)),
              HasSubstr("twice"));
  EXPECT_THAT(refusal(file_of(std::string(1 << 20, '['), 0)), HasSubstr("nested deeper"));
}

TEST_F(SafetensorsFile, IsRefusedInOneLineWhateverItsTensorsAreCalled) {
  const std::string message =
      refusal(file_of("{\"a\\nb\\u001b" + std::string(5000, 'x') + "\":3}", 0));
  EXPECT_THAT(message, AllOf(HasSubstr("a\\nb"), Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
  EXPECT_LT(message.size(), 600U);
}

TEST_F(SafetensorsFile, NeverCrashesOnAnyOneByteChanged) {
  const std::string good = file_of(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})",
      11);
  ASSERT_EQ(refusal(good), "");
  int refused = 0;
  for (std::size_t at = 0; at + 11 < good.size(); ++at) {
    for (const char value : {'\0', '9', '"', '\xff'}) {
      std::string bad = good;
      bad[at] = value;
      if (!refusal(bad).empty()) ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(good.size()));
}

TEST_F(SafetensorsFile, SaysSoWhenItShrinksAfterItWasOpened) {
  write_safetensors(path(), {{"a", DType::kFloat32, {64}}},
                    [](const WeightSpec& spec, const AppendBytes& append) {
                      const std::vector<std::byte> zeros(static_cast<std::size_t>(spec.bytes()));
                      append(zeros.data(), spec.bytes());
                    });
  const Safetensors file(path());
  fs::resize_file(path(), fs::file_size(path()) - 8);
  std::vector<std::byte> out(256);
  EXPECT_THROW(file.read("a", 0, 256, out.data()), InputError);
}

class Shards : public SafetensorsFile {
 protected:
  Shards() {
    for (const char* name : {"one", "two"}) {
      write_safetensors(path(std::string(name) + ".safetensors"), {{name, DType::kUInt8, {3}}},
                        [&](const WeightSpec&, const AppendBytes& append) {
                          append(reinterpret_cast<const std::byte*>(name), 3);
                        });
    }
  }
  void index(const std::string& text) const {
    write_raw(path("model.safetensors.index.json"), text);
  }
  std::string index_refusal() const {
    try {
      const Checkpoint checkpoint(folder_);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(Shards, AreReadThroughTheirIndex) {
  EXPECT_FALSE(Checkpoint::is_in(folder_));
  index(
      R"({"metadata":{"total_size":6},"weight_map":{"one":"one.safetensors","two":"two.safetensors"}})");
  EXPECT_TRUE(Checkpoint::is_in(folder_));
  const Checkpoint checkpoint(folder_);
  char out[4] = {};
  checkpoint.read("two", 0, 3, reinterpret_cast<std::byte*>(out));
  EXPECT_STREQ(out, "two");
  EXPECT_EQ(checkpoint.find("three"), nullptr);
}

TEST_F(Shards, AreRefusedWhenTheIndexDisagreesWithThem) {
  index(R"({"weight_map":{"two":"one.safetensors"}})");
  EXPECT_THAT(index_refusal(), AllOf(HasSubstr("one.safetensors"), HasSubstr("'two'")));
  index(R"({"weight_map":{"one":"missing.safetensors"}})");
  EXPECT_THAT(index_refusal(), HasSubstr("missing.safetensors"));
  index(R"({"weight_map":{"one":"../one.safetensors"}})");
  EXPECT_THAT(index_refusal(), HasSubstr("not in a file of this folder"));
  index(R"({"weight_map":{"one":7}})");
  EXPECT_THAT(index_refusal(), HasSubstr("'one'"));
  index(R"({"metadata":{}})");
  EXPECT_THAT(index_refusal(), HasSubstr("weight_map"));
}

}  // namespace
}  // namespace lingua
