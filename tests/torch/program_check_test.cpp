#include "runtime/torch/program_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <functional>
#include <optional>
#include <set>
#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/allowed_operations.h"
#include "runtime/torch/operation_shapes.h"
#include "runtime/torch/program_bytes.h"
#include "tests/torch/program_writer.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using testing::archive_of;
using testing::bytecode_of;
using ::testing::HasSubstr;
using testing::pickled;
using testing::Records;
using testing::records_of;
using testing::text;
using testing::tuple;
using testing::WrittenFunction;
using testing::WrittenInstruction;

std::string refusal(const std::string& program) {
  return testing::message_of<InputError>([&] { check_program(program, find_operation); });
}
std::string refusal(const WrittenFunction& function) {
  return refusal(archive_of(records_of(function)));
}

Segment two_operands() {
  Segment segment;
  segment.inputs.resize(2);
  for (TensorSpec& input : segment.inputs) input.is_tensor = true;
  segment.outputs.resize(1);
  return segment;
}

TEST(ProgramCheck, TakesWhatLibTorchRuns) {
  const std::string program = archive_of(records_of({}));
  EXPECT_EQ(refusal(program), "");
  const auto executor = make_torch_executor();
  executor->load(two_operands(), seal_program(program), {});
  const at::Tensor x = at::ones({2});
  const auto outputs = executor->run(0, {1, {1, 0}, 8}, {from_torch(x), from_torch(x * 2)});
  EXPECT_TRUE(to_torch(outputs.at(0)).equal(x * 3));
}

TEST(ProgramCheck, NamesAnOperationThatProgramsMayNotUse) {
  for (const char* name :
       {"aten::from_file", "aten::save", "aten::set_", "aten::manual_seed", "quantized::linear",
        "c10d::send", "profiler::_record_function_enter", "my::own", "aten::", "from_file", ""}) {
    WrittenFunction function;
    function.operators = {tuple({text(name), text(""), 3})};
    EXPECT_THAT(refusal(function),
                HasSubstr(fmt::format("it uses {}, which programs may not", name)));
  }
}

// What forty lines that speak the wire format sent to a worker: LibTorch itself would run it.
TEST(ProgramCheck, AFakeCoordinatorReadsAndOverwritesNoFile) {
  const TemporaryFolder folder;
  const std::string victim = folder.file("victim");
  write_file_atomically(victim, [](std::ostream& out) { out << "twelve bytes"; });
  const auto refusal_of = [&](const std::string& source, bool has_state) {
    torch::jit::Module module("__torch__.Segment");
    if (has_state) module.register_attribute("n", c10::IntType::get(), 3);
    module.define(source);
    std::ostringstream bytes;
    module._save_for_mobile(bytes);
    Segment segment = two_operands();
    segment.inputs.pop_back();
    const auto executor = make_torch_executor();
    return testing::message_of<WorldError>(
        [&] { executor->load(segment, seal_program(bytes.str()), {}); });
  };
  const std::string overwrite = fmt::format("torch.from_file(\"{}\", True, 3).fill_(0.0)", victim);
  EXPECT_THAT(
      refusal_of("def forward(self, x: Tensor):\n  return (" + overwrite + ",)\n", false),
      HasSubstr(
          "segment 0: its program is refused: it uses aten::from_file, which programs may not"));
  EXPECT_THAT(refusal_of("def __getstate__(self):\n  return self.n\n"
                         "def __setstate__(self, state: int):\n  " +
                             overwrite +
                             "\n  self.n = state\n"
                             "def forward(self, x: Tensor):\n  return (x,)\n",
                         true),
              HasSubstr("segment 0: its program is refused: its module is not an empty one"));
  EXPECT_EQ(read_file(victim), "twelve bytes");
}

// LibTorch's own list is the oracle: what takes the name of a file, by its arguments.
TEST(ProgramCheck, RefusesEveryOperationThatTouchesFiles) {
  int files = 0;
  for (const auto& operation : torch::jit::getAllOperators()) {
    const c10::FunctionSchema& schema = operation->schema();
    for (const c10::Argument& argument : schema.arguments()) {
      if (argument.name().find("file") == std::string::npos) continue;
      ++files;
      EXPECT_FALSE(is_allowed_operation(schema.name())) << schema;
    }
  }
  EXPECT_GE(files, 3) << "from_file twice, save";
}

// Whoever adds a name looks at what it does; a name that LibTorch does not have was mistyped.
TEST(ProgramCheck, AllowsOperationsOfLibTorchAndItsLanguageOnly) {
  std::set<std::string> spaces;
  int allowed = 0;
  std::set<std::string> seen;
  for (const auto& operation : torch::jit::getAllOperators()) {
    const std::string& name = operation->schema().name();
    if (!is_allowed_operation(name) || !seen.insert(name).second) continue;
    spaces.insert(name.substr(0, name.find("::")));
    ++allowed;
    for (const char* word : {"_backward", "cudnn", "miopen", "mkldnn_", "fbgemm", "unsafe_tensor",
                             "resize", "_test"}) {
      EXPECT_EQ(name.find(word), std::string::npos) << name;
    }
  }
  EXPECT_GT(allowed, 900);
  EXPECT_TRUE(spaces.contains("aten") && spaces.contains("prim"));
  for (const std::string& space : spaces)
    EXPECT_TRUE(space == "aten" || space == "prim" || space == "lingua") << space;
}

TEST(ProgramCheck, RefusesInstructionsThatReachOutOfTheirTables) {
  const std::vector<std::pair<WrittenInstruction, const char*>> cases = {
      {{"OP", 1}, "there is no operator 1"},
      {{"OP", -1}, "there is no operator -1"},
      {{"LOAD", 4}, "there is no register 4"},
      {{"LOAD", 0}, "there is no register 0"},
      {{"LOAD", -7}, "there is no register -7"},
      {{"STOREN", 3, 2}, "there is no register 4"},
      {{"LOADC", 1}, "there is no constant 1"},
      {{"LIST_CONSTRUCT", 1, 1}, "there is no type 1"},
      {{"ISINSTANCE", 0, 2}, "there is no type 2"},
      {{"JMP", 6}, "there is no instruction"},
      {{"JMP", -3}, "there is no instruction"},
      {{"TUPLE_CONSTRUCT", -1}, "there is no tuple -1"},
      {{"OPN", 0, 3}, "another way"},
      {{"LOOP", 1, 1}, "no condition"}};
  for (const auto& [step, words] : cases) {
    WrittenFunction function;
    function.instructions[2] = step;
    EXPECT_THAT(refusal(function), HasSubstr(words)) << step.name << " " << step.x;
  }
}

TEST(ProgramCheck, RefusesAStackThatRunsOutOrDependsOnTheWay) {
  const auto with = [](std::vector<WrittenInstruction> instructions) {
    WrittenFunction function;
    function.instructions = std::move(instructions);
    return refusal(function);
  };
  EXPECT_THAT(with({{"STOREN", 1, 3}, {"DROP"}, {"RET"}}),
              HasSubstr("instruction 1 (DROP) takes more"));
  EXPECT_THAT(with({{"STOREN", 1, 3}, {"OP", 0}, {"RET"}}), HasSubstr("takes more than there is"));
  EXPECT_THAT(with({{"LOADC", 0}, {"RET"}}), HasSubstr("it ends with 4 values"));
  EXPECT_THAT(with({{"STOREN", 1, 3}}), HasSubstr("there is no instruction 1"));
  EXPECT_THAT(with({{"STOREN", 1, 3}, {"LOADC", 0}, {"JMP", -1}}), HasSubstr("two heights"));
  EXPECT_THAT(with({{"STOREN", 1, 3},
                    {"LOADC", 0},
                    {"JF", 2},
                    {"LOADC", 0},
                    {"LOADC", 0},
                    {"TUPLE_CONSTRUCT", 1},
                    {"RET"}}),
              HasSubstr("two heights"));
  EXPECT_THAT(with({{"STOREN", 1, 3}, {"LOADC", 0}, {"LOOP", 1, 2}, {"RET"}}),
              HasSubstr("takes more"));
  EXPECT_THAT(with({}), HasSubstr("there is no instruction 0"));
}

TEST(ProgramCheck, RefusesWhatCallsOtherCode) {
  for (const char* name :
       {"CALL", "INTERFACE_CALL", "CREATE_OBJECT", "GET_ATTR", "SET_ATTR", "FORK", "WAIT", "ENTER",
        "EXIT", "WARN", "NAMED_TUPLE_CONSTRUCT", "TUPLE_SLICE", "GUARD", "my own"}) {
    WrittenFunction function;
    function.instructions[2] = {name, 0, 0};
    EXPECT_THAT(refusal(function),
                HasSubstr(fmt::format("an instruction {}, which programs have not", name)));
  }
  WrittenFunction setstate;
  setstate.name = "__torch__.Segment.__setstate__";
  EXPECT_THAT(refusal(setstate), HasSubstr("a function __torch__.Segment.__setstate__"));
  Records both = records_of({});
  both[2].second = pickled(tuple({8, bytecode_of({}).toTupleRef().elements()[1],
                                  bytecode_of(setstate).toTupleRef().elements()[1]}));
  EXPECT_THAT(refusal(archive_of(both)), HasSubstr("3 parts"));
  both[2].second = pickled(bytecode_of({}, 4));
  EXPECT_THAT(refusal(archive_of(both)), HasSubstr("its version is 4"));
}

TEST(ProgramCheck, RefusesTypesThatAreClasses) {
  for (const char* type :
       {"__torch__.torch.classes.quantized.LinearPackedParamsBase", "__torch__.Segment",
        "List[Foo]", "Future[Tensor]", "List[int", "]", "", "RRef[Tensor]"}) {
    WrittenFunction function;
    function.types = {text(type)};
    EXPECT_THAT(refusal(function), HasSubstr("which programs have not")) << type;
    WrittenFunction argument;
    argument.argument_types[1] = type;
    if (type != std::string("__torch__.Segment")) {
      EXPECT_THAT(refusal(argument), HasSubstr("which programs have not")) << type;
    }
  }
  WrittenFunction deep;
  std::string type = "int";
  for (int i = 0; i < 40; ++i) type = "List[" + type + "]";
  deep.types = {text(type)};
  EXPECT_THAT(refusal(deep), HasSubstr("which programs have not"));
}

TEST(ProgramCheck, RefusesPicklesOfAnythingButPlainValues) {
  const auto with = [](std::size_t record, const std::string& pickle) {
    Records records = records_of({});
    records[record].second = pickle;
    return refusal(archive_of(records));
  };
  using std::string_literals::operator""s;
  EXPECT_THAT(with(0, pickled(tuple({}))), HasSubstr("not an empty one"));
  EXPECT_THAT(with(0,
                   "\x80\x02"
                   "c__torch__\nSegment\n)\x81}(X\x01\x00\x00\x00"
                   "aK\x01ub."s),
              HasSubstr("not an empty one"));
  EXPECT_THAT(with(0,
                   "\x80\x02"
                   "c__torch__.torch.classes.quantized\nConv\n)\x81}b."s),
              HasSubstr("not an empty one"));
  EXPECT_THAT(with(1,
                   "\x80\x02"
                   "cposix\nsystem\nX\x02\x00\x00\x00"
                   "ls\x85R."s),
              HasSubstr("posix.system"));
  EXPECT_THAT(with(1,
                   "\x80\x02"
                   "c__torch__\nSegment\n)\x81}b."s),
              HasSubstr("__torch__.Segment"));
  EXPECT_THAT(with(1,
                   "\x80\x02"
                   "i"s),
              HasSubstr("not one that LibTorch writes"));
  EXPECT_THAT(with(1, "\x80\x02r\xff\xff\xff\xff."s), HasSubstr("a value where none is"));
  EXPECT_THAT(with(1, "\x80\x02)r\xff\xff\xff\xff."s), HasSubstr("out of order"));
  EXPECT_THAT(with(1, "\x80\x02)"s), HasSubstr("it is cut"));
  EXPECT_THAT(with(1, "\x80\x02)."s + "x"), HasSubstr("bytes follow"));
  EXPECT_THAT(with(1, ""s), HasSubstr("it is cut"));
}

// LibTorch makes a storage as large as the pickle says, whatever the record has.
TEST(ProgramCheck, RefusesTensorsThatReachOutOfTheirRecords) {
  using std::string_literals::operator""s;
  const auto with = [](std::int64_t numbers, std::int64_t offset, char size, char stride,
                       std::size_t bytes) {
    std::string pickle =
        "\x80\x02"
        "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        "X\x01\x00\x00\x00"
        "0X\x03\x00\x00\x00"
        "cpuK"s;
    pickle += static_cast<char>(numbers);
    pickle += "tQK"s + static_cast<char>(offset) + "K"s + size + "\x85K"s + stride +
              "\x85\x89"
              "ccollections\nOrderedDict\n)RtR\x85."s;
    Records records = records_of({});
    records[1].second = pickle;
    records.push_back({"constants/0", std::string(bytes, '\0')});
    return refusal(archive_of(records));
  };
  EXPECT_EQ(with(4, 0, 4, 1, 16), "");
  EXPECT_EQ(with(4, 3, 1, 1, 16), "");
  EXPECT_THAT(with(100, 0, 4, 1, 16), HasSubstr("fewer numbers than its pickle says"));
  EXPECT_THAT(with(4, 1, 4, 1, 16), HasSubstr("reaches out of its storage"));
  EXPECT_THAT(with(4, 0, 4, 2, 16), HasSubstr("reaches out of its storage"));
  EXPECT_THAT(with(4, 0, 5, 1, 16), HasSubstr("reaches out of its storage"));
}

TEST(ProgramCheck, RefusesRecordsThatProgramsHaveNot) {
  const auto with = [](const std::string& name) {
    Records records = records_of({});
    records.push_back({name, "x"});
    return refusal(archive_of(records));
  };
  EXPECT_THAT(with("extra/a"), HasSubstr("a record 'extra/a', which programs have not"));
  EXPECT_THAT(with("code/__torch__/evil.py"), HasSubstr("which programs have not"));
  EXPECT_THAT(with("BYTECODE.pkl"), HasSubstr("two records"));
  EXPECT_THAT(with("model.json"), HasSubstr("which programs have not"));
  EXPECT_THAT(with("mobile_debug_handles.pkl"), HasSubstr("which programs have not"));
  EXPECT_THAT(with("code/__torch__.py.debug_pkl"), HasSubstr("it is cut"));
  Records records = records_of({});
  records.pop_back();
  EXPECT_THAT(refusal(archive_of(records)), HasSubstr("it has no record 'bytecode.pkl'"));
}

TEST(ProgramCheck, RefusesArchivesThatMeanTwoThings) {
  const std::string whole = archive_of(records_of({}));
  ASSERT_EQ(refusal(whole), "");
  std::string flatbuffer = whole;
  flatbuffer.replace(4, 4, "PTMF");
  EXPECT_THAT(refusal(flatbuffer), HasSubstr("does not begin as an archive"));
  std::string other_front = whole;
  other_front[0] = 'X';
  EXPECT_THAT(refusal(other_front), HasSubstr("does not begin as an archive"));
  EXPECT_THAT(refusal(whole + "x"), HasSubstr("no directory at its end"));
  const std::size_t wide = whole.size() - 22 - 20 - 56;  // ZIP64's end, its place, and the end
  ASSERT_EQ(whole.substr(wide, 4), "PK\x06\x06");
  for (const std::size_t field : {wide + 32, wide + 40, wide + 48, whole.size() - 12,
                                  whole.size() - 10, whole.size() - 6, wide + 56 + 8}) {
    std::string two = whole;
    two[field] = static_cast<char>(two[field] + 1);
    EXPECT_NE(refusal(two), "") << field;
  }
}

TEST(ProgramCheck, RefusesWhatIsCut) {
  const std::string whole = archive_of(records_of({}));
  Rng rng(11);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    bytes.resize(rng.below(whole.size()));
    EXPECT_NE(refusal(bytes), "");
  }
}

// Bytecode changed at random, with check sums that are right: what is taken must not harm LibTorch.
TEST(ProgramCheck, WhatItTakesLibTorchSurvives) {
  const std::string good = pickled(bytecode_of({}));
  const auto executor = make_torch_executor();
  const at::Tensor x = at::ones({2});
  Rng rng(12);
  int taken = 0;
  for (int i = 0; i < 3000; ++i) {
    Records records = records_of({});
    for (std::uint64_t changes = 1 + rng.below(3); changes > 0; --changes) {
      records[2].second[rng.below(good.size())] ^= static_cast<char>(1U << rng.below(8));
    }
    const std::string program = archive_of(records);
    if (!refusal(program).empty()) continue;
    ++taken;
    try {
      executor->load(two_operands(), seal_program(program), {});
      executor->run(0, {static_cast<RequestId>(i), {1, 0}, 8}, {from_torch(x), from_torch(x)});
    } catch (const WorldError&) {  // its operand may be another number, its schema too short
    }
  }
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace lingua
