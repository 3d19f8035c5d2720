#include "runtime/checkpoint/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string bytes_of(const NpyArray& array) {
  return {reinterpret_cast<const char*>(array.data.data()), array.data.size()};
}

class Npy : public ::testing::Test {
 protected:
  NpyArray read(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary) << bytes;
    return read_npy(file_);
  }

  std::string refusal(const std::string& bytes) const {
    try {
      read(bytes);
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("array.npy"));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "";
  }

  // A file of version 1 with this header.
  static std::string file_of(std::string header, const std::string& data) {
    header += '\n';
    std::string file("\x93NUMPY\x01\x00", 8);
    file += static_cast<char>(header.size() & 0xff);
    file += static_cast<char>(header.size() >> 8);
    return file + header + data;
  }

  const nlohmann::json golden_ = nlohmann::json::parse(read_file(LINGUA_GOLDEN "/npy.json"));
  TemporaryFolder folder_;
  std::string file_ = folder_.file("array.npy");
};

TEST_F(Npy, ReadsWhatNumPySaves) {
  for (const auto& [name, expected] : golden_["accepted"].items()) {
    const NpyArray array = read(from_hex(expected["file"]));
    EXPECT_STREQ(dtype_name(array.dtype), expected["dtype"].get<std::string>().c_str()) << name;
    EXPECT_EQ(array.shape, expected["shape"].get<std::vector<std::int64_t>>()) << name;
    EXPECT_EQ(bytes_of(array), from_hex(expected["data"])) << name;
  }
}

TEST_F(Npy, WritesTheBytesThatNumPyWrites) {
  int written = 0;
  for (const auto& [name, expected] : golden_["accepted"].items()) {
    if (!expected["written_as_read"]) continue;
    const NpyArray array = read(from_hex(expected["file"]));
    std::ostringstream out;
    write_npy(out, array.dtype, array.shape, array.data.data());
    EXPECT_EQ(out.str(), from_hex(expected["file"])) << name;
    ++written;
  }
  EXPECT_GE(written, 8);
}

TEST_F(Npy, WidensBfloat16) {
  const unsigned char one_and_minus_two[] = {0x80, 0x3f, 0x00, 0xc0};
  std::ostringstream out;
  write_npy(out, DType::kBFloat16, {2}, reinterpret_cast<const std::byte*>(one_and_minus_two));
  const NpyArray array = read(out.str());
  EXPECT_EQ(array.dtype, DType::kFloat32);
  const auto* values = reinterpret_cast<const float*>(array.data.data());
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], -2.0F);
}

TEST_F(Npy, RefusesWhatIsNoNumber) {
  for (const auto& [name, file] : golden_["refused"].items()) {
    EXPECT_THAT(refusal(from_hex(file)), AllOf(HasSubstr("descr"), HasSubstr("accepted are")))
        << name;
  }
  EXPECT_THAT(refusal(from_hex(golden_["refused"]["object"])), HasSubstr("Python objects"));
}

TEST_F(Npy, RefusesFilesThatAreNotWhole) {
  const std::string whole = from_hex(golden_["accepted"]["float32"]["file"]);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
  }
  EXPECT_THAT(refusal(whole + "x"), HasSubstr("25 bytes"));
  EXPECT_THAT(refusal("hello"), HasSubstr("numpy.save"));
  EXPECT_THAT(refusal("PK\x03\x04 an archive of several arrays"), HasSubstr("numpy.save"));
}

TEST_F(Npy, RefusesHeadersThatLie) {
  const std::string most = "9223372036854775807";
  const auto header = [](const std::string& shape) {
    return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  };
  EXPECT_EQ(read(file_of(header("(1,)"), "abcd")).shape, (std::vector<std::int64_t>{1}));
  for (const std::string& shape :
       {std::string("(2,)"), "(" + most + ",)", "(" + most + ", " + most + ")",
        std::string("(4294967296, 4294967296, 4)"), std::string("(-1,)"), std::string("(1.0,)"),
        std::string("1"), std::string("(1"), std::string("(1 1)"), std::string("('a',)")}) {
    EXPECT_NE(refusal(file_of(header(shape), "abcd")), "") << shape;
  }
  std::string many = "(";
  for (int i = 0; i < 40; ++i) many += "1, ";
  EXPECT_THAT(refusal(file_of(header(many + ")"), "abcd")), HasSubstr("32 dimensions"));
  EXPECT_NE(refusal(file_of("{'descr': '<f4', 'shape': (1,)}", "abcd")), "");
  EXPECT_NE(refusal(file_of("{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", "abcd")), "");
  EXPECT_NE(refusal(file_of("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}", "abcd")), "");
  EXPECT_NE(refusal(file_of(header("(1,)") + "os.system('x')", "abcd")), "");
}

}  // namespace
}  // namespace lingua
