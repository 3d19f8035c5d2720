#include "runtime/torch/script_check.h"

#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using testing::define;
using ::testing::HasSubstr;

// A file that must not be read or written, and models that try to.
class ScriptCheck : public ::testing::Test {
 protected:
  ScriptCheck() {
    write_file_atomically(victim_, [](std::ostream& out) { out << "secret secret"; });
  }
  ~ScriptCheck() override {
    EXPECT_EQ(read_file(victim_), "secret secret");
    EXPECT_FALSE(std::filesystem::exists(made_));
  }

  std::string refusal() const {
    ImportOptions options;
    options.inputs = {"x=3:float32"};
    const std::string why = testing::message_of<InputError>([&] { import_model(file_, options); });
    EXPECT_EQ(why.find('\n'), std::string::npos) << why;
    EXPECT_EQ(testing::message_of<InputError>(
                  [&] { run_reference(file_, options, {{from_torch(at::ones({3}))}}, {1}, 1); }),
              why);
    return why;
  }
  std::string refusal(const std::string& forward) const {
    define("def forward(self, x: Tensor):\n" + forward).save(file_);
    return refusal();
  }

  // Saves a model with its records changed.
  std::string refusal_of_changed(
      const std::function<void(std::string& name, std::string& contents)>& change) const {
    const std::string original = folder_.file("original.pt");
    define("def forward(self, x: Tensor, y: float=1.5):\n  return torch.relu(x) + self.w * y\n",
           {{"w", at::ones({3})}})
        .save(original);
    {
      caffe2::serialize::PyTorchStreamReader reader(original);
      caffe2::serialize::PyTorchStreamWriter writer(file_);
      for (std::string name : reader.getAllRecords()) {
        const auto [data, size] = reader.getRecord(name);
        std::string contents(static_cast<const char*>(data.get()), size);
        if (name == "version" || name == ".data/version") continue;
        change(name, contents);
        writer.writeRecord(name, contents.data(), contents.size());
      }
      writer.writeEndOfFile();
    }
    return refusal();
  }
  std::string refusal_of_code(const std::string& old_text, const std::string& new_text) const {
    bool found = false;
    const std::string why = refusal_of_changed([&](const std::string& name, std::string& contents) {
      const auto at = name.ends_with(".py") ? contents.find(old_text) : std::string::npos;
      if (at == std::string::npos) return;
      contents.replace(at, old_text.size(), new_text);
      found = true;
    });
    EXPECT_TRUE(found);
    return why;
  }

  TemporaryFolder folder_;
  std::string file_ = folder_.file("model.pt");
  std::string victim_ = folder_.file("victim");
  std::string made_ = folder_.file("made");
};

TEST_F(ScriptCheck, RefusesOperationsOnFilesBeforeTheyRun) {
  // Operands that do not change are what LibTorch would compute ahead.
  EXPECT_THAT(refusal(fmt::format("  return x + torch.from_file(\"{}\", True, 3)\n", victim_)),
              AllOf(HasSubstr("model.pt: it uses aten::from_file, which models may not"),
                    HasSubstr("security.md")));
  EXPECT_THAT(refusal(fmt::format("  torch.save(x, \"{}\")\n  return x\n", made_)),
              HasSubstr("it uses aten::save, which models may not"));
  EXPECT_THAT(refusal(fmt::format(
                  "  if x.size(0) > 100:\n    for i in range(3):\n      torch.save(x, \"{}\")\n"
                  "  return x\n",
                  made_)),
              HasSubstr("it uses aten::save"));
  EXPECT_THAT(refusal("  torch.manual_seed(3)\n  return x\n"),
              HasSubstr("it uses aten::manual_seed"));
  EXPECT_THAT(refusal("  return x.set_(x)\n"), HasSubstr("it uses aten::set_"));
  EXPECT_THAT(refusal("  return x.resize_([1000])\n"), HasSubstr("it uses aten::resize_"));
}

TEST_F(ScriptCheck, LooksIntoSubmodulesAndForks) {
  torch::jit::Module inner("__torch__.Inner");
  inner.define(
      fmt::format("def forward(self, x: Tensor):\n  torch.save(x, \"{}\")\n  return x\n", made_));
  torch::jit::Module model("__torch__.Model");
  model.register_module("inner", inner);
  model.define("def forward(self, x: Tensor):\n  return torch.relu(self.inner.forward(x))\n");
  model.save(file_);
  EXPECT_THAT(refusal(), HasSubstr("it uses aten::save"));
}

TEST_F(ScriptCheck, RefusesSetstate) {
  torch::jit::Module model("__torch__.Model");
  model.register_attribute("n", c10::IntType::get(), 3);
  model.define(fmt::format(
      "def __getstate__(self):\n  return self.n\n"
      "def __setstate__(self, state: int):\n  torch.save([1], \"{}\")\n  self.n = state\n"
      "def forward(self, x: Tensor):\n  return x + self.n\n",
      made_));
  model.save(file_);
  EXPECT_FALSE(std::filesystem::exists(made_)) << "saving runs it not";
  EXPECT_THAT(refusal(), HasSubstr("has __setstate__"));
}

TEST_F(ScriptCheck, RefusesDefaultsThatAreComputed) {
  const std::string call = fmt::format("ops.aten.save([1], \"{}\")", made_);
  EXPECT_THAT(refusal_of_code("y: float=1.5", "y: NoneType=" + call),
              AllOf(HasSubstr("the default of y of forward is computed"),
                    HasSubstr("accepted are literals")));
  EXPECT_THAT(refusal_of_code("y: float=1.5", "y: float=torch.add(1., 2.)"),
              HasSubstr("is computed"));
  EXPECT_THAT(refusal_of_code("y: float=1.5", "y: List[float]=[1., torch.neg(2.)]"),
              HasSubstr("is computed"));
  EXPECT_THAT(refusal_of_code("  def forward", "  k : Final[int] = torch.add(1, 2)\n  def forward"),
              HasSubstr("its class Model has a statement"));
}

TEST_F(ScriptCheck, TakesDefaultsThatAreLiterals) {
  for (const char* value : {"y: float=-2.5", "y: float=1.5,\n    z: Optional[Tensor]=None",
                            "y: float=1.5,\n    z: Tuple[int, List[float]]=(1, [2., -3.])",
                            "y: float=1.5,\n    z: List[int]=annotate(List[int], [])",
                            "y: float=1.5,\n    z: Device=torch.device(\"cpu\")"}) {
    EXPECT_EQ(refusal_of_code("y: float=1.5", value), "") << value;
  }
}

TEST_F(ScriptCheck, RefusesPicklesOfForeignObjects) {
  using std::string_literals::operator""s;
  const auto with = [&](const std::string& record, const std::string& pickle) {
    return refusal_of_changed([&](const std::string& name, std::string& contents) {
      if (name == record) contents = pickle;
    });
  };
  EXPECT_THAT(with("data.pkl",
                   "\x80\x02"
                   "cposix\nsystem\nX\x02\x00\x00\x00"
                   "ls\x85R."s),
              HasSubstr("it holds posix.system"));
  EXPECT_THAT(
      with("constants.pkl",
           "\x80\x02"
           "c__torch__.torch.classes.quantized\nConv\n)\x81}b\x85."s),
      AllOf(HasSubstr("torch.classes.quantized.Conv"), HasSubstr("before it is quantised")));
  EXPECT_THAT(with("data.pkl", "\x80\x02)"s), HasSubstr("it is cut"));
}

// LibTorch finds records without regard to case: one that is written otherwise would not be looked at.
TEST_F(ScriptCheck, RefusesRecordsInAnotherCase) {
  for (const std::string from : {"constants.pkl", "data.pkl", "code/__torch__.py"}) {
    const std::string why = refusal_of_changed([&](std::string& name, std::string&) {
      if (name == from) name[2] = static_cast<char>(std::toupper(name[2]));
    });
    EXPECT_THAT(why, HasSubstr("in another case")) << from;
  }
  EXPECT_THAT(refusal_of_changed([](std::string& name, std::string&) {
                if (name == "constants.pkl") name = "model.json";
              }),
              HasSubstr("before 1.1"));
}

TEST_F(ScriptCheck, RefusesCodeThatIsNestedWithoutEnd) {
  constexpr int kTimes = 100'000;
  const auto repeated = [](const std::string& before, const std::string& after) {
    std::string code;
    for (int i = 0; i < kTimes; ++i) code += before;
    code += "torch.relu(x)";
    for (int i = 0; i < kTimes; ++i) code += after;
    return code;
  };
  for (const std::string& code :
       {repeated("(", ")"), repeated("- ", ""), repeated("not ", ""), repeated("", " + x"),
        repeated("", ".abs()"), repeated("", ".add(1, 2)"), repeated("x if x else ", ""),
        repeated("torch.relu(", ")"), repeated("[", ",]"), repeated("", " ** x")}) {
    EXPECT_THAT(refusal_of_code("torch.relu(x)", code), HasSubstr("nested too deeply"))
        << code.substr(0, 20) << " ... " << code.substr(code.size() - 20);
  }
  std::string blocks;
  for (int i = 0; i < 3000; ++i) {
    blocks += std::string(4 + static_cast<std::size_t>(i), ' ') + "if True:\n";
  }
  blocks += std::string(3004, ' ') + "pass\n";
  EXPECT_THAT(refusal_of_code("    return", blocks + "    return"), HasSubstr("nested too deeply"));
}

TEST_F(ScriptCheck, TakesLongLists) {
  std::string list = "y: float=1.5,\n    z: List[int]=[";
  for (int i = 0; i < 3000; ++i) list += fmt::format("-{}, ", i);
  EXPECT_EQ(refusal_of_code("y: float=1.5", list + "]"), "");
}

}  // namespace
}  // namespace lingua
