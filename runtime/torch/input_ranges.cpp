#include "runtime/torch/input_ranges.h"

#include <ATen/core/function_schema.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <optional>
#include <set>

namespace lingua {
namespace {

namespace jit = torch::jit;

bool keeps_values(const std::string& kind) {
  static const std::set<std::string> kKinds = {
      "aten::to",      "aten::view",      "aten::reshape",   "aten::unsqueeze",  "aten::squeeze",
      "aten::flatten", "aten::expand",    "aten::clone",     "aten::contiguous", "aten::select",
      "aten::slice",   "aten::transpose", "aten::t",         "aten::permute",    "aten::long",
      "aten::int",     "aten::type_as",   "aten::expand_as", "aten::flip",       "aten::detach"};
  return kKinds.count(kind) != 0;
}

// An operand of this name has an order or a sum that random numbers lack.
bool is_structure(const std::string& operand) {
  static const std::set<std::string> kNames = {"offsets", "lengths",       "batch_sizes",
                                               "repeats", "input_lengths", "target_lengths",
                                               "indptr",  "crow_indices"};
  return kNames.count(operand) != 0;
}

class RangeFinder {
 public:
  explicit RangeFinder(const std::vector<StepSample>& samples) : samples_(samples) {}

  IndexRange run(const jit::Value* input) {
    follow(input, 0);
    return range_;
  }

 private:
  // `place` is its place in a list, when it is one.
  void follow(const jit::Value* value, std::size_t place) {
    for (const jit::Use& use : value->uses()) {
      const jit::Node& user = *use.user;
      const std::string kind = user.kind().toQualString();
      const std::string operand = operand_name(user, use.offset);
      if (is_structure(operand)) {
        range_.why_not = fmt::format("{} takes it as {}", kind, operand);
      } else if (operand == "indices" || operand == "index") {
        for (const StepSample& sample : samples_) bound(rows_of(user, kind, place, sample));
      } else if (kind == "prim::ListConstruct") {
        follow(user.output(), use.offset);
      } else if (keeps_values(kind) && use.offset == 0) {
        follow(user.output(), place);
      }
    }
  }

  static std::string operand_name(const jit::Node& node, std::size_t offset) {
    const c10::FunctionSchema* schema = node.maybeSchema();
    if (schema == nullptr || offset >= schema->arguments().size()) return "";
    return schema->arguments()[offset].name();
  }

  // How many rows the look-up has to choose from; nothing when it is no look-up. Of a list of indices
  // each is for one dimension.
  static std::optional<std::int64_t> rows_of(const jit::Node& node, const std::string& kind,
                                             std::size_t place, const StepSample& sample) {
    const auto found = sample.values.find(node.input(0));
    if (found == sample.values.end() || !found->second.isTensor()) return std::nullopt;
    const at::Tensor& table = found->second.toTensor();
    if (table.dim() == 0) return std::nullopt;
    if (kind == "aten::take") return table.numel();
    auto dim = static_cast<std::int64_t>(place);
    const auto named = node.maybeSchema()->argumentIndexWithName("dim");
    if (named) {
      const auto constant = jit::toIValue(node.input(static_cast<std::size_t>(*named)));
      if (!constant || !constant->isInt()) return std::nullopt;
      dim = constant->toInt() < 0 ? constant->toInt() + table.dim() : constant->toInt();
    }
    if (dim < 0 || dim >= table.dim()) return std::nullopt;
    return table.size(dim);
  }

  void bound(std::optional<std::int64_t> rows) {
    if (!rows) return;
    range_.end = range_.end == 0 ? *rows : std::min(range_.end, *rows);
  }

  const std::vector<StepSample>& samples_;
  IndexRange range_;
};

}  // namespace

std::map<std::string, IndexRange> index_ranges(const ScriptModel& model,
                                               const ScriptForward& forward,
                                               const std::vector<StepSample>& samples) {
  std::map<std::string, IndexRange> ranges;
  for (std::size_t i = 0; i < model.arguments.size(); ++i) {
    if (model.arguments[i].kind != ValueKind::kInput) continue;
    const IndexRange range = RangeFinder(samples).run(forward.arguments[i]);
    if (range.end > 0 || !range.why_not.empty()) ranges[model.arguments[i].name] = range;
  }
  return ranges;
}

}  // namespace lingua
