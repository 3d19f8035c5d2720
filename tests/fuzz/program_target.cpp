#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/torch/bytecode_check.h"
#include "runtime/torch/pickle.h"
#include "runtime/torch/pickled_values.h"
#include "runtime/torch/program_check.h"
#include "runtime/torch/torch_archive.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text += static_cast<char>(value);
  return text;
}

// Records as they are, as LibTorch packs them, but for ZIP64 and check sums.
std::string archive_of(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string bytes;
  std::string directory;
  for (const auto& [name, contents] : records) {
    const std::string path = fmt::format("archive/{}", name);
    const std::string sizes = little_endian(contents.size(), 4) +
                              little_endian(contents.size(), 4) + little_endian(path.size(), 2);
    const std::size_t at = bytes.size();
    bytes += "PK\x03\x04";
    bytes.append(14, '\0') += sizes;
    bytes.append(2, '\0') += path;
    bytes += contents;
    directory += "PK\x01\x02";
    directory.append(16, '\0') += sizes;
    directory.append(12, '\0') += little_endian(at, 4);
    directory += path;
  }
  const std::string count = little_endian(records.size(), 2);
  const std::size_t at = bytes.size();
  bytes += directory;
  bytes += "PK\x05\x06";
  bytes.append(4, '\0') += count;
  bytes += count;
  bytes += little_endian(directory.size(), 4);
  bytes += little_endian(at, 4);
  return bytes.append(2, '\0');
}

// Pickles, as LibTorch writes them without its memory of what came before.
std::string text(std::string_view value) {
  return fmt::format("X{}{}", little_endian(value.size(), 4), value);
}
std::string number(std::int64_t value) {
  return fmt::format("J{}", little_endian(static_cast<std::uint64_t>(value), 4));
}
std::string tuple(const std::vector<std::string>& parts) {
  std::string all(1, '(');
  for (const std::string& part : parts) all += part;
  return all += 't';
}
std::string field(std::string_view name, const std::string& value) {
  return tuple({text(name), value});
}
std::string pickled(const std::string& value) {
  std::string all("\x80\x02");
  all += value;
  return all += '.';
}

struct Line {
  const char* name;
  std::int64_t x = 0;
  std::int64_t n = 0;
};

std::string bytecode_of(const std::vector<Line>& lines) {
  std::vector<std::string> instructions;
  for (const Line& line : lines) {
    instructions.push_back(tuple({text(line.name), number(line.x), number(line.n)}));
  }
  const auto argument = [](std::string_view type) {
    return tuple(
        {field("name", text("a")), field("type", text(type)), field("default_value", "N")});
  };
  const std::string device = "ctorch\ndevice\n" + tuple({text("cpu")}) + "R";
  const std::string list =
      "ctorch.jit._pickle\nbuild_intlist\n" + tuple({"](" + number(1) + number(2) + "e"}) + "R";
  const std::string tensor =
      "ctorch._utils\n_rebuild_tensor_v2\n" +
      tuple({tuple({text("storage"), "ctorch\nFloatStorage\n", text("0"), text("cpu"), number(4)}) +
                 "Q",
             number(0), tuple({number(2), number(2)}), tuple({number(2), number(1)}), "\x89",
             "ccollections\nOrderedDict\n)R"}) +
      "R";
  const std::string table =
      tuple({field("instructions", tuple(instructions)),
             field("operators", tuple({tuple({text("aten::add"), text("Tensor"), number(3)}),
                                       tuple({text("aten::format"), text("")})})),
             field("constants", tuple({number(0), number(3), "\x88", "N", device, list, tensor})),
             field("types", tuple({text("List[Optional[Tensor]]"), text("Dict[str, Tensor]")})),
             field("register_size", number(3))});
  const std::string schema =
      tuple({field("arguments",
                   tuple({argument("__torch__.Segment"), argument("Tensor"), argument("int")})),
             field("returns", tuple({argument("Tuple[Tensor]")}))});
  return pickled(tuple({number(8), tuple({text("__torch__.Segment.forward"), table, schema})}));
}

std::string bytecode_that_adds() {
  return bytecode_of({{"STOREN", 1, 3},
                      {"DROPR", 1},
                      {"MOVE", 2},
                      {"MOVE", 3},
                      {"LOADC", 0},
                      {"OP", 0},
                      {"TUPLE_CONSTRUCT", 1},
                      {"RET"}});
}

std::string bytecode_that_loops() {
  return bytecode_of({{"STOREN", 1, 3},
                      {"DROPR", 1},
                      {"LOADC", 0},
                      {"LOADC", 1},
                      {"LOADC", 2},
                      {"LOAD", 2},
                      {"LOOP", 7, 3},
                      {"STORE", 2},
                      {"DROP"},
                      {"LOADC", 2},
                      {"MOVE", 2},
                      {"JMP", -5},
                      {"RET"},
                      {"LIST_CONSTRUCT", 0, 1},
                      {"TUPLE_CONSTRUCT", 1},
                      {"RET"}});
}

const std::string& object() {
  static const std::string kObject = pickled("c__torch__\nSegment\n)\x81}b");
  return kObject;
}

std::string program_of(const std::string& bytecode) {
  return archive_of({{"data.pkl", object()},
                     {"constants.pkl", pickled(")")},
                     {"bytecode.pkl", bytecode},
                     {"constants/0", std::string(16, '\0')},
                     {"version", "8"}});
}

std::optional<OperationShape> find(const std::string& name, const std::string& overload) {
  if (name == "aten::add" && overload == "Tensor") return OperationShape{3, 1, false};
  if (name == "aten::format") return OperationShape{1, 1, true};
  return std::nullopt;
}

// A whole archive, and, as its check sums keep a fuzzer out of it, its records; or bytecode alone.
void run(const std::string& bytes) {
  static const std::string whole = program_of(bytecode_that_adds());
  if (!bytes.starts_with("PK")) {
    const TorchArchive archive{std::string_view(whole)};
    const Pickle pickle(bytes);
    check_values(pickle, archive, "constants/", false);
    check_bytecode(pickle.value(), find);
    return;
  }
  const TorchArchive archive{std::string_view(bytes)};
  for (const auto& [name, record] : archive.records()) {
    if (record.is_packed) continue;
    const std::string contents = archive.contents(name);
    LINGUA_CHECK(contents.size() == record.bytes);
    if (name.ends_with(".pkl")) check_values(Pickle(contents), archive, "constants/", true);
    if (name == "bytecode.pkl") check_bytecode(Pickle(contents).value(), find);
  }
}

std::vector<std::string> samples() {
  return {program_of(bytecode_that_adds()), bytecode_that_adds(), bytecode_that_loops()};
}

}  // namespace

FuzzTarget program_target() { return {"program", run, samples}; }

}  // namespace lingua::testing
