#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using testing::define;
using ::testing::HasSubstr;

class ScriptFile : public ::testing::Test {
 protected:
  ImportedModel import(const std::string& source, const testing::Parameters& parameters = {},
                       const std::vector<std::string>& inputs = {}) const {
    define(source, parameters).save(file_);
    ImportOptions options;
    options.inputs = inputs;
    return import_model(file_, options);
  }

  std::string refusal(const std::string& source, const testing::Parameters& parameters = {},
                      const std::vector<std::string>& inputs = {}) const {
    const std::string why =
        testing::message_of<InputError>([&] { import(source, parameters, inputs); });
    EXPECT_EQ(why.find('\n'), std::string::npos) << why;
    return why;
  }

  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }

  TemporaryFolder folder_;
  std::string file_ = folder_.file("model.pt");
};

constexpr const char* kMlp =
    "def forward(self, x: Tensor):\n"
    "  return torch.linear(torch.relu(torch.linear(x, self.a)), self.b)\n";

testing::Parameters mlp_weights() {
  return {{"a", torch::randn({16, 8})}, {"b", torch::randn({3, 16})}};
}

TEST_F(ScriptFile, IsImportedWithTheShapesThatAreGiven) {
  const auto imported = import(kMlp, mlp_weights(), {"x=nx8:float32"});
  EXPECT_EQ(imported.graph.flops(), testing::kN * (2 * 8 * 16 + 2 * 16 * 3));
  EXPECT_FALSE(imported.is_language_model);
  EXPECT_FALSE(imported.kv_cache);
  EXPECT_TRUE(imported.source->has_data());
}

TEST_F(ScriptFile, AsksForAShapeThatItCannotGuess) {
  EXPECT_THAT(refusal(kMlp, mlp_weights()),
              AllOf(HasSubstr("model.pt"), HasSubstr("argument x"), HasSubstr("--input x=")));
  EXPECT_THAT(refusal("def forward(self, x: Tensor, y: Tensor):\n  return x + y\n"),
              HasSubstr("argument y"));
  EXPECT_THAT(refusal("def forward(self, x: Tensor, k: int):\n  return x + k\n", {}, {"x=n:int64"}),
              HasSubstr("argument k"));
}

TEST_F(ScriptFile, IsALanguageModelWhenTokensBecomeRowsOfLogits) {
  const testing::Parameters table = {{"t", torch::randn({50, 4})}};
  const char* all_rows =
      "def forward(self, ids: Tensor):\n"
      "  return torch.linear(torch.embedding(self.t, ids), self.t)\n";
  const char* last_row =
      "def forward(self, ids: Tensor):\n"
      "  x = torch.embedding(self.t, ids)\n"
      "  return torch.linear(x[:, -1], self.t)\n";
  for (const char* source : {all_rows, last_row}) {
    const auto imported = import(source, table);
    EXPECT_TRUE(imported.is_language_model) << source;
    EXPECT_EQ(imported.vocabulary, 50);
    EXPECT_EQ(imported.graph.values[imported.graph.inputs[0]].dims,
              (std::vector<StepFunction>{1.0, testing::kN}));
  }
  EXPECT_TRUE(import(all_rows, table, {"ids=n:int64"}).is_language_model);
}

TEST_F(ScriptFile, IsNoLanguageModelWhenItClassifies) {
  const auto imported = import(
      "def forward(self, ids: Tensor):\n"
      "  return torch.linear(torch.embedding(self.t, ids).mean([1]), self.head)\n",
      {{"t", torch::randn({50, 4})}, {"head", torch::randn({2, 4})}});
  EXPECT_FALSE(imported.is_language_model);
}

TEST_F(ScriptFile, TakesTheNumberOfNewTokensAndDefaults) {
  const auto imported = import(
      "def forward(self, x: Tensor, new_tokens: int, mask: Optional[Tensor]=None, k: int=3):\n"
      "  if mask is not None:\n"
      "    x = x + mask\n"
      "  return x * k + torch.arange(new_tokens)\n",
      {}, {"x=n:float32"});
  ASSERT_EQ(imported.graph.inputs.size(), 2U);
  EXPECT_EQ(imported.graph.values[imported.graph.inputs[1]].kind, ValueKind::kStep);
  EXPECT_EQ(imported.graph.nodes.size(), 3U);
}

TEST_F(ScriptFile, RefusesInputsThatItCannotRead) {
  for (const char* text :
       {"x", "=3:int64", "x=3", "x=3xx4:int64", "x=0:int64", "x=3x:int64", "x=-1:int64",
        "x=99999999999999999999:int64", "x=m:int64", "x=n:int65"}) {
    EXPECT_THROW(import(kMlp, mlp_weights(), {text}), UsageError) << text;
  }
  EXPECT_THAT(refusal(kMlp, mlp_weights(), {"x=nx8:float32", "y=n:int64"}),
              HasSubstr("no argument y"));
}

TEST_F(ScriptFile, RefusesResultsThatAreNoTensors) {
  EXPECT_THAT(refusal("def forward(self, x: Tensor):\n  return x.size(0)\n"),
              AllOf(HasSubstr("returns"), HasSubstr("int")));
  EXPECT_THAT(refusal("def forward(self, x: Tensor):\n  return {\"y\": x}\n"), HasSubstr("Dict"));
}

TEST_F(ScriptFile, RefusesWhatIsNotTorchScript) {
  const auto why = [&] {
    const std::string message =
        testing::message_of<InputError>([&] { import_model(file_, ImportOptions{}); });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  };
  EXPECT_THAT(why(), HasSubstr("no such file"));
  write("hello");
  EXPECT_THAT(why(), AllOf(HasSubstr("model.pt"), HasSubstr("not a TorchScript file")));
  write("");
  EXPECT_THAT(why(), HasSubstr("not a TorchScript file"));
  define(kMlp, mlp_weights()).save(file_);
  const std::string whole = read_file(file_);
  for (std::size_t share : {1, 2, 9}) {
    write(whole.substr(0, whole.size() * share / 10));
    EXPECT_THAT(why(), HasSubstr("not a TorchScript file"));
  }
}

TEST_F(ScriptFile, SurvivesFlippedBytes) {
  define(kMlp, mlp_weights()).save(file_);
  const std::string whole = read_file(file_);
  ImportOptions options;
  options.inputs = {"x=nx8:float32"};
  Rng rng(5);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    bytes[rng.below(bytes.size())] ^= static_cast<char>(1U << rng.below(8));
    write(bytes);
    refused +=
        testing::message_of<InputError>([&] { import_model(file_, options); }).empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 200);
}

TEST_F(ScriptFile, NamesAnOperationThatLibTorchDoesNotHave) {
  const std::string original = folder_.file("original.pt");
  define("def forward(self, x: Tensor):\n  return torch.relu(x)\n").save(original);
  {
    caffe2::serialize::PyTorchStreamReader reader(original);
    caffe2::serialize::PyTorchStreamWriter writer(file_);
    for (const std::string& name : reader.getAllRecords()) {
      const auto [data, size] = reader.getRecord(name);
      std::string text(static_cast<const char*>(data.get()), size);
      const auto at = text.find("torch.relu(");
      if (at != std::string::npos) text.replace(at, 11, "ops.my.op(");
      if (name != "version" && name != ".data/version") {
        writer.writeRecord(name, text.data(), text.size());
      }
    }
    writer.writeEndOfFile();
  }
  const std::string why =
      testing::message_of<InputError>([&] { import_model(file_, ImportOptions{}); });
  EXPECT_THAT(why, AllOf(HasSubstr("model.pt"), HasSubstr("unknown operation my::op")));
  EXPECT_EQ(why.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace lingua
