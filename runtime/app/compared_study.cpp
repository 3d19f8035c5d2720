#include "runtime/app/compared_study.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/app/sweep_results.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/sweep/yaml_tree.h"

namespace lingua {
namespace {

using Tree = nlohmann::ordered_json;
using Names = std::vector<std::string>;

class Reader {
 public:
  explicit Reader(const std::string& origin) : origin_(origin) {}

  ComparedStudy read(const Tree& tree) {
    check_fields("", tree, {"question", "published", "result", "groups", "by", "comparisons"});
    ComparedStudy study;
    study.question = text("question", tree, "question");
    study.result = text("result", tree, "result");
    if (tree.contains("published")) study.published = claim(tree["published"]);
    if (tree.contains("groups")) read_groups(tree["groups"], study);
    if (tree.contains("by")) study.by = texts("by", tree["by"]);
    if (!tree.contains("comparisons") || !tree["comparisons"].is_array() ||
        tree["comparisons"].empty())
      fail("comparisons", "is no list of comparisons; write '- {name: ..., of: ..., over: ...}'");
    for (const Tree& one : tree["comparisons"])
      study.comparisons.push_back(
          comparison(fmt::format("comparisons[{}]", study.comparisons.size()), one));
    return study;
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    throw InputError(fmt::format("{}: {}{}{}", origin_, field, field.empty() ? "" : ": ", what));
  }

  void check_fields(const std::string& field, const Tree& tree, const Names& known) const {
    if (!tree.is_object())
      fail(field, fmt::format("holds no 'field: value' lines; write {}", fmt::join(known, ", ")));
    for (const auto& [key, value] : tree.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(field, fmt::format("'{}' is not a field here; write one of {}", one_line(key, 80),
                                fmt::join(known, ", ")));
      }
    }
  }

  std::string text(const std::string& field, const Tree& tree, const std::string& key) const {
    if (!tree.contains(key)) fail(field, "is missing; write a text");
    const Tree& value = tree[key];
    if (!value.is_string() || value.get_ref<const std::string&>().empty())
      fail(field, fmt::format("'{}' is not accepted; write a text", one_line(value.dump(), 80)));
    return value;
  }

  Names texts(const std::string& field, const Tree& list) const {
    Names all;
    if (!list.is_array()) fail(field, "is no list; write [NAME, ...]");
    for (const Tree& one : list) {
      if (!one.is_string())
        fail(field, fmt::format("'{}' is no name; write a text", one_line(one.dump(), 80)));
      all.push_back(one);
    }
    return all;
  }

  PublishedClaim claim(const Tree& tree) const {
    check_fields("published", tree, {"what", "source", "range", "grows_with"});
    PublishedClaim claim;
    claim.what = text("published.what", tree, "what");
    claim.source = text("published.source", tree, "source");
    if (tree.contains("range") == tree.contains("grows_with"))
      fail("published", "needs either range or grows_with");
    if (tree.contains("grows_with")) {
      claim.grows_with = text("published.grows_with", tree, "grows_with");
      return claim;
    }
    const Tree& range = tree["range"];
    if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number() ||
        range[0] <= 0 || range[1] < range[0]) {
      fail("published.range", fmt::format("'{}' is not accepted; write [LOW, HIGH], both above 0",
                                          one_line(range.dump(), 80)));
    }
    claim.range = RatioRange{range[0], range[1]};
    return claim;
  }

  void read_groups(const Tree& tree, ComparedStudy& study) const {
    if (!tree.is_object()) fail("groups", "holds no 'NAME: {of: COLUMN, kinds: ...}' lines");
    for (const auto& [name, value] : tree.items()) {
      const std::string field = "groups." + one_line(name, 80);
      check_fields(field, value, {"of", "kinds"});
      ColumnGroups groups{name, text(field + ".of", value, "of"), {}};
      if (!value.contains("kinds") || !value["kinds"].is_object() || value["kinds"].empty())
        fail(field + ".kinds", "holds no 'KIND: PATTERN' lines");
      for (const auto& [kind, pattern] : value["kinds"].items())
        groups.kinds.emplace_back(kind, text(field + ".kinds." + kind, value["kinds"], kind));
      study.groups.push_back(std::move(groups));
    }
  }

  ColumnValues values(const std::string& field, const Tree& tree, const std::string& key) const {
    if (!tree.contains(key) || !tree[key].is_object() || tree[key].empty())
      fail(field, "holds no 'COLUMN: VALUE' lines; write what the points of this side have");
    ColumnValues values;
    for (const auto& [column, value] : tree[key].items())
      values.emplace_back(column, result_value_of(value));
    std::sort(values.begin(), values.end());
    return values;
  }

  Comparison comparison(const std::string& field, const Tree& tree) const {
    check_fields(field, tree, {"name", "arm", "of", "over"});
    Comparison one{text(field + ".name", tree, "name"), text(field + ".arm", tree, "arm"),
                   values(field + ".of", tree, "of"), values(field + ".over", tree, "over")};
    const Names arms = {"published", "ours", "field"};
    if (std::find(arms.begin(), arms.end(), one.arm) == arms.end()) {
      fail(field + ".arm", fmt::format("'{}' is not accepted; write one of {}",
                                       one_line(one.arm, 80), fmt::join(arms, ", ")));
    }
    const auto same_column = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (!std::equal(one.of.begin(), one.of.end(), one.over.begin(), one.over.end(), same_column))
      fail(field, "names other columns in 'of' than in 'over'; write the same ones in both");
    return one;
  }

  const std::string& origin_;
};

}  // namespace

std::optional<RatioRange> ComparedStudy::range() const {
  return published ? published->range : std::nullopt;
}

ComparedStudy parse_study(const std::string& yaml, const std::string& origin) {
  return Reader(origin).read(parse_yaml(yaml, origin));
}

ComparedStudy load_study(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "study.yaml";
  ComparedStudy study = parse_study(read_file(file, 1 << 20), file.string());
  study.name = folder.filename().string();
  return study;
}

}  // namespace lingua
