#include "runtime/torch/program_check.h"

#include <fmt/format.h>

#include <set>
#include <string>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/torch/pickle.h"
#include "runtime/torch/pickled_values.h"
#include "runtime/torch/torch_archive.h"

namespace lingua {
namespace {

constexpr std::string_view kTensors = "constants/";
constexpr const char* kPlaces = "code/__torch__.py.debug_pkl";  // in the text that it comes from

void check_records(const TorchArchive& archive) {
  static const std::set<std::string_view> kKnown = {
      "data.pkl",          "constants.pkl", "bytecode.pkl",           "version", ".data/version",
      "code/__torch__.py", "byteorder",     ".data/serialization_id", kPlaces};
  for (const auto& [name, record] : archive.records()) {
    if (!kKnown.contains(name) && !name.starts_with(kTensors)) {
      throw InputError(
          fmt::format("it has a record '{}', which programs have not", one_line(name)));
    }
  }
}

// An object of the one class, with nothing in it.
void check_object(const PickleNode& object) {
  const bool is_empty =
      object.is(PickleNode::Kind::kObject) && object.children.size() == 3 &&
      object.children[0]->text == "__torch__ Segment" && object.children[1]->children.empty() &&
      object.children[2]->is(PickleNode::Kind::kDict) && object.children[2]->children.empty();
  if (!is_empty) throw InputError("its module is not an empty one of class Segment");
}

}  // namespace

void check_program(std::string_view bytes, const FindOperation& find) {
  const TorchArchive archive(bytes);
  archive.check_sums();
  check_records(archive);
  const std::string object = archive.contents("data.pkl");
  check_object(Pickle(object).value());
  const std::string constants = archive.contents("constants.pkl");
  check_values(Pickle(constants), archive, kTensors, false);
  const std::string code = archive.contents("bytecode.pkl");
  const Pickle bytecode(code);
  check_values(bytecode, archive, kTensors, false);
  check_bytecode(bytecode.value(), find);
  if (archive.records().contains(kPlaces)) {
    const std::string places = archive.contents(kPlaces);
    check_values(Pickle(places), archive, kTensors, false);
  }
  if (!archive.records().contains("version") && !archive.records().contains(".data/version")) {
    throw InputError("it has no record 'version'");
  }
}

}  // namespace lingua
