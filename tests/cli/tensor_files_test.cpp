// Inputs from files and outputs to files, with TorchScript files by PyTorch 2.6 and what it computes:
// tests/torch/golden/make_torchscript.py.

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "runtime/checkpoint/npy.h"
#include "runtime/checkpoint/safetensors.h"
#include "tests/cli/text_fixture.h"
#include "tests/torch/script_support.h"

namespace lingua::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::byte> bytes_of(const json& tensor) {
  const std::string hex = tensor.at("data");
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

void expect_near(const std::vector<std::byte>& bytes, const json& tensor) {
  const std::vector<std::byte> expected = bytes_of(tensor);
  ASSERT_EQ(tensor.at("dtype"), "float32");
  ASSERT_EQ(bytes.size(), expected.size());
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(float)) {
    float value = 0;
    float wanted = 0;
    std::memcpy(&value, bytes.data() + i, sizeof value);
    std::memcpy(&wanted, expected.data() + i, sizeof wanted);
    EXPECT_NEAR(value, wanted, 2e-6) << "element " << i / sizeof(float);
  }
}

class TensorFiles : public LinguaTest {
 protected:
  // Writes the file of a case and its inputs; returns the options that give them.
  Arguments write(const std::string& name) {
    golden_ = cases_.at(name);
    model_ = folder_.file(name + ".pt");
    const auto archive = bytes_of({{"data", golden_.at("archive")}});
    std::ofstream(model_, std::ios::binary)
        .write(reinterpret_cast<const char*>(archive.data()),
               static_cast<std::streamsize>(archive.size()));
    Arguments options = {model_};
    for (std::size_t i = 0; i < golden_.at("inputs").size(); ++i) {
      const std::string text = golden_.at("input_texts").at(i);
      const std::string file = folder_.file(fmt_name(i));
      std::ofstream out(file, std::ios::binary);
      const json& tensor = golden_.at("inputs").at(i);
      const auto data = bytes_of(tensor);
      write_npy(out, parse_dtype(tensor.at("dtype")),
                tensor.at("shape").get<std::vector<std::int64_t>>(), data.data());
      options.push_back("--input-file");
      options.push_back(text.substr(0, text.find('=')) + "=" + file);
    }
    return options;
  }

  static std::string fmt_name(std::size_t i) { return "input" + std::to_string(i) + ".npy"; }

  Outcome run(const Arguments& verb, const Arguments& options) const {
    return lingua(verb + options);
  }

  const json cases_ = json::parse(
      std::ifstream(std::string(LINGUA_SOURCE) + "/tests/torch/golden/torchscript.json"))["cases"];
  json golden_;
  std::string model_;
};

const std::vector<Arguments> kWorlds = {{"reference"},
                                        {"emulate", "--cluster", kThreePhones, "--planner", "even"},
                                        {"run", "--local", "--workers", "2", "--planner", "even"}};

TEST_F(TensorFiles, EveryWorldGivesWhatPyTorchComputes) {
  const Arguments options = write("attention_bool_mask");
  for (const Arguments& world : kWorlds) {
    const std::string file = folder_.file(world[0] + ".npy");
    const Outcome outcome = run(world, options + Arguments{"--output-file", file});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const NpyArray output = read_npy(file);
    EXPECT_EQ(output.shape, golden_["outputs"][0]["shape"].get<std::vector<std::int64_t>>());
    expect_near(output.data, golden_["outputs"][0]);
  }
}

TEST_F(TensorFiles, SeveralOutputsGoIntoOneFile) {
  const Arguments options = write("dict_output");
  const std::string file = folder_.file("outputs.safetensors");
  for (const Arguments& world : kWorlds) {
    const Outcome outcome =
        run(world, options + Arguments{"--output-file", file, "--requests", "2"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const Safetensors written(file);
    ASSERT_EQ(written.tensors().size(), 4U);
    for (int request : {0, 1}) {
      for (std::size_t i : {0U, 1U}) {
        const std::string name =
            "request." + std::to_string(request) + ".output." + std::to_string(i);
        const WeightSpec& spec = written.tensors().at(name);
        std::vector<std::byte> data(static_cast<std::size_t>(spec.bytes()));
        written.read(name, 0, spec.bytes(), data.data());
        expect_near(data, golden_["outputs"][i]);
      }
    }
    std::filesystem::remove(file);
  }
}

TEST_F(TensorFiles, ALanguageModelPassesOnceForItsLogits) {
  const Arguments options = write("llama");
  const std::string file = folder_.file("logits.npy");
  for (const Arguments& world : kWorlds) {
    const Outcome outcome =
        run(world, options + Arguments{"--input", "ids=1xn:int64", "--output-file", file});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_near(read_npy(file).data, golden_["outputs"][0]);
  }
  // Without a file for its outputs it generates, in the reference as elsewhere.
  json tokens;
  for (const Arguments& world : kWorlds) {
    const Outcome outcome =
        run(world, options + Arguments{"--input", "ids=1xn:int64", "--json", "--max-tokens", "4"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json made = outcome.json()["requests"][0]["tokens"];
    EXPECT_EQ(made.size(), 4U);
    if (tokens.is_null()) tokens = made;
    EXPECT_EQ(made, tokens) << world[0];
  }
}

TEST_F(TensorFiles, RefusesWhatDoesNotFitInOneLine) {
  const Arguments options = write("attention");
  const auto refusal = [&](const Arguments& more, int code) {
    const Outcome outcome = run({"reference"}, more);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refusal(options + Arguments{"--input-file", "z=" + folder_.file(fmt_name(0))}, 3),
              HasSubstr("no argument z"));
  EXPECT_THAT(refusal(options + Arguments{"--input", "q=2x4x9x6:float32"}, 3),
              AllOf(HasSubstr("shape (2, 4, 3, 6)"), HasSubstr("takes (2, 4, 9, 6)")));
  EXPECT_THAT(refusal(options + Arguments{"--output-file", folder_.file("o.txt")}, 2),
              HasSubstr(".safetensors"));
  EXPECT_THAT(
      refusal(options + Arguments{"--output-file", folder_.file("o.npy"), "--requests", "2"}, 2),
      HasSubstr("FILE.safetensors"));
  const Arguments masked = write("attention_bool_mask");
  EXPECT_THAT(refusal(masked + Arguments{"--input", "mask=2x1x3x5:float32"}, 3),
              AllOf(HasSubstr("mask is bool here"), HasSubstr("float32")));
  EXPECT_THAT(refusal({model_, "--input-file", "q"}, 2), HasSubstr("NAME=FILE.npy"));
  EXPECT_THAT(refusal({model_, "--input-file", "q=" + model_}, 3), HasSubstr("numpy.save"));
  EXPECT_THAT(refusal({model_, "--input-file", "q=" + folder_.file("none.npy")}, 3),
              HasSubstr("none.npy"));
}

// A tensor as safetensors files have it: the format's name of its dtype, its shape, its bytes.
struct Stored {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
  bool operator==(const Stored& other) const {
    return dtype == other.dtype && shape == other.shape && bytes == other.bytes;
  }
};
using StoredTensors = std::map<std::string, Stored>;

// By the format's own description: eight bytes of the header's length, the header, the contents.
void write_stored(const std::string& path, const StoredTensors& tensors) {
  json header;
  std::string contents;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = contents.size();
    contents += tensor.bytes;
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, contents.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file << text << contents;
}

StoredTensors read_stored(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  std::uint64_t length = 0;
  std::memcpy(&length, all.data(), sizeof length);
  StoredTensors tensors;
  const json header = json::parse(all.substr(8, length));
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    const std::size_t begin = tensor["data_offsets"][0];
    const std::size_t end = tensor["data_offsets"][1];
    tensors[name] = {tensor["dtype"], tensor["shape"], all.substr(8 + length + begin, end - begin)};
  }
  return tensors;
}

// Numbers of one type, as a file's bytes: floats too, by their bits.
template <typename Number>
std::string bytes_of_numbers(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}
template <typename Number>
Stored stored(const std::string& dtype, const std::vector<Number>& numbers) {
  return {dtype, {static_cast<std::int64_t>(numbers.size())}, bytes_of_numbers(numbers)};
}
using Bits16 = std::vector<std::uint16_t>;
using Bits32 = std::vector<std::uint32_t>;

TEST_F(TensorFiles, TokensMayBeOfAnotherIntegerType) {
  write("llama");
  const auto ids = bytes_of(golden_["inputs"][0]);
  std::vector<std::int32_t> narrow;
  for (std::size_t i = 0; i < ids.size(); i += sizeof(std::int64_t)) {
    std::int64_t id = 0;
    std::memcpy(&id, ids.data() + i, sizeof id);
    narrow.push_back(static_cast<std::int32_t>(id));
  }
  const std::string tokens = folder_.file("tokens.safetensors");
  const std::string logits = folder_.file("logits.npy");
  const std::vector<std::int64_t> shape = golden_["inputs"][0]["shape"];
  write_stored(tokens, {{"ids", {"I32", shape, bytes_of_numbers(narrow)}}});
  const Arguments options = {model_, "--input", "ids=1xn:int64", "--input-file", tokens};
  const Outcome outcome = run(kWorlds[0], options + Arguments{"--output-file", logits});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  expect_near(read_npy(logits).data, golden_["outputs"][0]);
  for (const std::int32_t none : {-1, 1 << 20}) {
    narrow[2] = none;
    write_stored(tokens, {{"ids", {"I32", shape, bytes_of_numbers(narrow)}}});
    for (const Arguments& world : kWorlds)
      expect_refused(lingua(world + options), 3, {tokens, std::to_string(none) + " is no token"});
  }
}

// Files whose forward is written here.
class ScriptTensorFiles : public LinguaTest {
 protected:
  void define_forward(const std::string& source, const Parameters& parameters = {}) {
    define(source, parameters).save(model_);
  }
  // forward(a, b, ...) gives back what it is given.
  void define_echo(const std::vector<std::string>& names) {
    std::string arguments;
    std::string copies;
    for (const std::string& name : names) {
      arguments += ", " + name;
      copies += name + ".clone(), ";
    }
    define_forward("def forward(self" + arguments + "):\n  return (" + copies + ")\n");
  }
  // What comes out of one pass with these options.
  StoredTensors outputs(const Arguments& options) {
    const std::string file = folder_.file("outputs.safetensors");
    const Outcome outcome = lingua(Arguments{"reference", model_, "--output-file", file} + options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? read_stored(file) : StoredTensors();
  }
  void refused(int code, const std::vector<std::string>& words, const Arguments& options) {
    expect_refused(lingua(Arguments{"reference", model_} + options), code, words);
  }

  std::string model_ = folder_.file("model.pt");
  std::string file_ = folder_.file("inputs.safetensors");
};

TEST_F(ScriptTensorFiles, EveryDTypeIsTakenAsItIs) {
  const StoredTensors tensors = {
      {"a", stored("F32", Bits32{0x3f800000, 0x7f800000, 0x80000000, 1})},
      {"b", stored("F16", Bits16{0x3c00, 0x7bff, 0x8000, 1, 0xfc00})},
      {"c", stored("BF16", Bits16{0x3f80, 0x7f7f, 0x8001})},
      {"d", stored<double>("F64", {0.1, -1e300})},
      {"e", stored<std::int64_t>("I64", {-1, 1LL << 62})},
      {"f", stored<std::int32_t>("I32", {-5, 1 << 30, 0})},
      {"g", stored<std::int16_t>("I16", {-300})},
      {"h", stored<std::int8_t>("I8", {-128, 127})},
      {"i", stored<std::uint8_t>("U8", {0, 255})},
      {"j", {"BOOL", {2, 1}, std::string("\0\1", 2)}},
      {"k", {"F32", {}, bytes_of_numbers(std::vector<float>{2.5})}}};
  write_stored(file_, tensors);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  define_echo(names);
  const StoredTensors found = outputs({"--input-file", file_});
  ASSERT_EQ(found.size(), tensors.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    EXPECT_TRUE(found.at("output." + std::to_string(i)) == tensors.at(names[i])) << names[i];
}

// As numpy's astype: to the nearest, ties to even, each conversion rounded once.
TEST_F(ScriptTensorFiles, NumbersAreRoundedOnceToTheModelsDType) {
  struct Case {
    Stored from;
    std::string dtype;
    Stored to;
  };
  const float f16_tie = std::ldexp(1.0F, -11);
  const std::vector<Case> cases = {
      // 65520 lies between the largest number and 2^16; the last three are subnormal in float16.
      {stored<float>(
           "F32", {1, 1 + f16_tie, 1 + 3 * f16_tie, 65504, 65519.99F, 65520, -65520, -0.0F,
                   INFINITY, std::ldexp(1.0F, -24), std::ldexp(1.0F, -25), std::ldexp(1.5F, -24)}),
       "float16",
       stored("F16", Bits16{0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7bff, 0x7c00, 0xfc00, 0x8000, 0x7c00,
                            0x0001, 0x0000, 0x0002})},
      {stored("F32", Bits32{0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff, 0xff7f7fff,
                            0x00018000, 0x80000001}),
       "bfloat16",
       stored("BF16", Bits16{0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x7f80, 0xff7f, 0x0002, 0x8000})},
      // Through float32, 1 + 2^-11 + 2^-40 would be a tie and 1.
      {stored<double>("F64", {1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40), 1e300}), "float16",
       stored("F16", Bits16{0x3c01, 0x7c00})},
      {stored<double>("F64", {1 + std::ldexp(1.0, -8) + std::ldexp(1.0, -40), -1e300}), "bfloat16",
       stored("BF16", Bits16{0x3f81, 0xff80})},
      {stored<double>("F64", {0.1, 1e39, std::ldexp(1.0, -149), std::ldexp(1.0, -150)}), "float32",
       stored("F32", Bits32{0x3dcccccd, 0x7f800000, 1, 0})},
      {stored("F16", Bits16{0x3c00, 0x7bff, 0x0001, 0x83ff, 0xfc00}), "float32",
       stored<float>("F32",
                     {1, 65504, std::ldexp(1.0F, -24), -1023 * std::ldexp(1.0F, -24), -INFINITY})},
      {stored("F16", Bits16{0x3c01, 0x7bff}), "bfloat16", stored("BF16", Bits16{0x3f80, 0x4780})},
      {stored("BF16", Bits16{0x3f81, 0x7f7f, 0xc2f7}), "float16",
       stored("F16", Bits16{0x3c08, 0x7c00, 0xd7b8})},
      {stored("BF16", Bits16{0x3f81, 0x0001}), "float32",
       stored("F32", Bits32{0x3f810000, 0x00010000})},
      {stored("F32", Bits32{0x3dcccccd}), "float64", stored<double>("F64", {double{0.1F}})},
      {stored<std::int32_t>("I32", {-5, std::numeric_limits<std::int32_t>::min()}), "int64",
       stored<std::int64_t>("I64", {-5, -2147483648LL})},
      {stored<std::int64_t>("I64", {2147483647, -2147483648LL}), "int32",
       stored<std::int32_t>("I32", {2147483647, std::numeric_limits<std::int32_t>::min()})},
      {stored<std::uint8_t>("U8", {255}), "int16", stored<std::int16_t>("I16", {255})},
      {stored<std::int64_t>("I64", {0, 255}), "uint8", stored<std::uint8_t>("U8", {0, 255})}};
  StoredTensors tensors;
  std::vector<std::string> names;
  Arguments options = {"--input-file", file_};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    names.push_back("x" + std::to_string(i));
    tensors[names.back()] = cases[i].from;
    options =
        options + Arguments{"--input", names.back() + "=" + std::to_string(cases[i].from.shape[0]) +
                                           ":" + cases[i].dtype};
  }
  write_stored(file_, tensors);
  define_echo(names);
  const StoredTensors found = outputs(options);
  ASSERT_EQ(found.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_TRUE(found.at("output." + std::to_string(i)) == cases[i].to)
        << cases[i].from.dtype << " to " << cases[i].dtype;
  }
}

TEST_F(ScriptTensorFiles, WhatTheModelsDTypeCannotHoldIsRefused) {
  define_echo({"x"});
  const auto refuses = [&](const Stored& from, const std::string& dtype,
                           const std::vector<std::string>& words) {
    write_stored(file_, {{"x", from}});
    refused(3, words,
            {"--input", "x=" + std::to_string(from.shape[0]) + ":" + dtype, "--input-file", file_});
  };
  refuses(stored<std::int64_t>("I64", {0, 2147483648LL}), "int32",
          {file_, "input x", "2147483648", "int32 cannot hold"});
  refuses(stored<std::int32_t>("I32", {-1}), "uint8", {"-1", "uint8 cannot hold"});
  refuses(stored<float>("F32", {1}), "int64", {"x is float32 here and int64 in the model"});
  refuses(stored<std::int64_t>("I64", {1}), "float32", {"x is int64 here and float32"});
  refuses(stored<std::uint8_t>("BOOL", {1}), "int64", {"x is bool here and int64"});
  refuses(stored<std::uint8_t>("U8", {1}), "bool", {"x is uint8 here and bool"});
}

TEST_F(ScriptTensorFiles, TheNameChoosesATensorOfTheFile) {
  write_stored(file_, {{"x", stored<float>("F32", {1, 2})},
                       {"y", stored<float>("F32", {3, 4})},
                       {"z", stored<float>("F32", {5})}});
  define_forward("def forward(self, x, y):\n  return x - y\n");
  const StoredTensors found = outputs({"--input-file", "y=" + file_, "--input-file", "x=" + file_});
  EXPECT_TRUE(found.at("output.0") == stored<float>("F32", {-2, -2}));
  refused(3, {file_, "has no tensor w"}, {"--input-file", "w=" + file_});
  refused(3, {"no argument z"}, {"--input-file", file_});
  refused(2, {"x is given twice"}, {"--input-file", file_, "--input-file", "x=" + file_});
  define_echo({"x"});
  refused(3, {file_, "input x has the shape (2)", "takes (3)"},
          {"--input-file", "x=" + file_, "--input", "x=3:float32"});
  refused(3, {file_, "input x has the shape (2)", "takes (1, n)"},
          {"--input-file", "x=" + file_, "--input", "x=1xn:float32"});
}

TEST_F(ScriptTensorFiles, InputsForSeveralTokensMustAgreeOnTheirNumber) {
  write_stored(file_,
               {{"x", stored<float>("F32", {1, 2, 3})}, {"y", stored<float>("F32", {3, 4})}});
  define_forward("def forward(self, x, y):\n  return torch.outer(x, y)\n");
  refused(3, {file_, "input y is for 2 tokens", "3"},
          {"--input-file", file_, "--input", "x=n:float32", "--input", "y=n:float32"});
}

TEST_F(ScriptTensorFiles, FilesThatAreNoneAreRefused) {
  define_echo({"x"});
  const auto refuses = [&](const std::string& bytes) {
    std::ofstream(file_, std::ios::binary) << bytes;
    refused(3, {file_}, {"--input-file", "x=" + file_});
  };
  refuses("");
  refuses("hello");
  write_stored(file_, {{"x", stored<float>("F32", {1, 2})}});
  const std::string whole = read_file(file_);
  refuses(whole.substr(0, whole.size() - 1));
  write_stored(file_, {{"x", {"F8_E4M3", {2}, "ab"}}});
  refused(3, {file_, "F8_E4M3"}, {"--input-file", "x=" + file_});
  write_stored(file_, {{"x", {"F32", {3}, "12345678"}}});
  refused(3, {file_}, {"--input-file", "x=" + file_});
}

TEST_F(ScriptTensorFiles, RandomIndicesAreDrawnFromTheWholeTableAndNoFurther) {
  define_forward(
      "def forward(self, i, j):\n"
      "  return (i.clone(), j.clone(), torch.embedding(self.t, i), self.t[:, j.to(i.dtype)])\n",
      {{"t", at::randn({7, 3})}});
  const StoredTensors found = outputs({"--input", "i=500:int64", "--input", "j=500:int32"});
  std::vector<std::int64_t> i(500);
  std::vector<std::int32_t> j(500);
  ASSERT_EQ(found.size(), 4U);
  std::memcpy(i.data(), found.at("output.0").bytes.data(), 4000);
  std::memcpy(j.data(), found.at("output.1").bytes.data(), 2000);
  EXPECT_EQ(std::set<std::int64_t>(i.begin(), i.end()),
            (std::set<std::int64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(std::set<std::int32_t>(j.begin(), j.end()), (std::set<std::int32_t>{0, 1, 2}));
}

TEST_F(ScriptTensorFiles, WhatCannotBeDrawnAtRandomIsAskedFor) {
  define_forward(
      "def forward(self, i, offsets):\n  return torch.embedding_bag(self.t, i, offsets)[0]\n",
      {{"t", at::ones({7, 3})}});
  const Arguments shapes = {"--input", "i=4:int64", "--input", "offsets=2:int64"};
  refused(3, {"input 'offsets'", "aten::embedding_bag", "--input-file offsets="}, shapes);
  write_stored(file_, {{"offsets", stored<std::int64_t>("I64", {0, 3})}});
  const StoredTensors found = outputs(shapes + Arguments{"--input-file", "offsets=" + file_});
  // torch.embedding_bag sums unless it is asked for means.
  EXPECT_TRUE(found.at("output.0") ==
              (Stored{"F32", {2, 3}, bytes_of_numbers(std::vector<float>{3, 3, 3, 1, 1, 1})}));
}

TEST_F(ScriptTensorFiles, WhatLibTorchLacksInFloat16IsRefusedByEveryVerbThatComputes) {
  define_forward("def forward(self, x):\n  return torch.linear(x, self.w)\n",
                 {{"w", at::ones({3, 4}, at::kHalf)}});
  bool can_multiply = true;
  try {
    at::linear(at::ones({2, 4}, at::kHalf), at::ones({3, 4}, at::kHalf));
  } catch (const std::exception&) {
    can_multiply = false;
  }
  if (can_multiply) GTEST_SKIP() << "this LibTorch multiplies matrices in float16";
  const Arguments model = {model_, "--input", "x=2x4:float16"};
  for (const Arguments& world : kWorlds)
    expect_refused(lingua(world + model), 3,
                   {model_ + ": aten::linear", "float16", "float32 or bfloat16", "model.float()"});
  EXPECT_EQ(lingua(Arguments{"plan", "--cluster", kThreePhones} + model).exit_code, 0);
}

}  // namespace
}  // namespace lingua::testing
