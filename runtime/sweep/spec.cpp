#include "runtime/sweep/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/sweep/axis_values.h"
#include "runtime/sweep/yaml_tree.h"

namespace lingua {
namespace {

using nlohmann::json;
using Tree = nlohmann::ordered_json;

constexpr std::size_t kMostAxes = 64;
constexpr std::size_t kMostExpressions = 100;
constexpr std::size_t kMostKept = 1000;
constexpr std::string_view kFields = "name, what, base, axes, exclude, keep";

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class Reader {
 public:
  Reader(const std::string& origin, const CheckSetting& check) : origin_(origin), check_(check) {}

  SweepSpec read(const Tree& tree) {
    check_fields(tree);
    read_head(tree);
    if (tree.contains("base")) read_base(tree["base"]);
    if (!tree.contains("axes")) fail("axes", "is missing; write 'SETTING: [VALUE, ...]' lines");
    read_axes(tree["axes"]);
    check_size();
    if (tree.contains("exclude")) read_exclude(tree["exclude"]);
    if (tree.contains("keep")) spec_.keep = texts("keep", tree["keep"], kMostKept);
    return std::move(spec_);
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    throw InputError(fmt::format("{}: {}{}{}", origin_, field, field.empty() ? "" : ": ", what));
  }

  void check_fields(const Tree& tree) const {
    if (!tree.is_object())
      fail("", fmt::format("is {}; write 'field: value' lines with {}", kind_of(tree), kFields));
    for (const auto& [key, value] : tree.items()) {
      constexpr std::array kKnown = {"name", "what", "base", "axes", "exclude", "keep"};
      if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end())
        fail(shown(key), fmt::format("is not a field here; write one of {}", kFields));
    }
  }

  void read_head(const Tree& tree) {
    const std::string accepted = "1 to 64 letters, digits, '.', '_' or '-'";
    spec_.name = std::filesystem::path(origin_).stem().string();
    if (tree.contains("name")) {
      const Tree& name = tree["name"];
      if (!name.is_string()) fail("name", fmt::format("is {}; write {}", kind_of(name), accepted));
      spec_.name = name;
      if (!is_identifier(spec_.name))
        fail("name", fmt::format("'{}' is not accepted; write {}", shown(spec_.name), accepted));
    }
    spec_.what = "simulate";
    if (!tree.contains("what")) return;
    const Tree& what = tree["what"];
    if (what != "simulate" && what != "plan")
      fail("what", fmt::format("'{}' is not accepted; write simulate or plan", shown_value(what)));
    spec_.what = what;
  }

  void check_setting(const std::string& field, const std::string& name) const {
    if (!is_setting_name(name)) {
      fail(field, fmt::format("'{}' is no name of a setting; write it as on the command line, "
                              "without the dashes before it, as in max-tokens",
                              shown(name)));
    }
    const std::string accepted = check_ ? check_(spec_.what, name) : "";
    if (!accepted.empty()) {
      fail(field, fmt::format("'{}' is no setting of {}; write one of {}", shown(name), spec_.what,
                              accepted));
    }
  }

  void read_base(const Tree& base) {
    if (!base.is_object())
      fail("base", fmt::format("is {}; write 'SETTING: VALUE' lines", kind_of(base)));
    for (const auto& [name, value] : base.items()) {
      const std::string field = "base." + shown(name);
      check_setting(field, name);
      if (is_range(value)) fail(field, "is a range; write it in axes, or one value here");
      const std::string wrong = what_is_wrong_with(value);
      if (!wrong.empty()) fail(field, wrong);
      spec_.base[name] = value;
      set("base", name);
    }
  }

  // Notes where a setting is set; it may be at one place only.
  void set(const std::string& place, const std::string& setting) {
    const auto at = std::lower_bound(spec_.settings.begin(), spec_.settings.end(), setting);
    if (at != spec_.settings.end() && *at == setting) {
      fail(place, fmt::format("'{}' is set {} too; write it once", setting,
                              spec_.base.contains(setting) ? "in base" : "by another axis"));
    }
    spec_.settings.insert(at, setting);
  }

  void read_axes(const Tree& axes) {
    if (axes.is_array()) {
      for (const Tree& one : axes) {
        if (!one.is_object())
          fail("axes", fmt::format("holds {}; write '- SETTING: [VALUE, ...]'", kind_of(one)));
        for (const auto& [name, values] : one.items()) read_axis(name, values);
      }
    } else if (axes.is_object()) {
      for (const auto& [name, values] : axes.items()) read_axis(name, values);
    } else {
      fail("axes", fmt::format("is {}; write 'SETTING: [VALUE, ...]' lines", kind_of(axes)));
    }
  }

  void read_axis(const std::string& name, const Tree& values) {
    const std::string field = "axes." + shown(name);
    if (spec_.axes.size() == kMostAxes)
      fail(field, fmt::format("is one too many; write at most {} axes", kMostAxes));
    for (const SweepAxis& other : spec_.axes)
      if (other.name() == name) fail(field, "stands twice; write it once");
    const auto fail_here = [&](const std::string& what) { fail(field, what); };
    std::vector<SweepAxis::Piece> pieces = axis_pieces(name, values, fail_here);
    std::vector<std::string> sets;
    for (const SweepAxis::Piece& piece : pieces) {
      const auto* settings = std::get_if<json>(&piece);
      const json of_range = {{name, nullptr}};
      for (const auto& [setting, value] : (settings ? *settings : of_range).items())
        if (std::find(sets.begin(), sets.end(), setting) == sets.end()) sets.push_back(setting);
    }
    if (sets.empty()) fail(field, "sets nothing; write '- {SETTING: VALUE, ...}' lines");
    for (const std::string& setting : sets) {
      check_setting(field, setting);
      set(field, setting);
    }
    spec_.axes.emplace_back(name, std::move(pieces));
  }

  void check_size() const {
    std::uint64_t size = 1;
    for (const SweepAxis& axis : spec_.axes) {
      if (axis.size() > kMostSweepPoints / size) {
        std::string product;
        for (const SweepAxis& one : spec_.axes)
          product += fmt::format("{}{} ({})", product.empty() ? "" : " x ", one.size(), one.name());
        fail("axes", fmt::format("{} are more than {} points; write fewer values", product,
                                 kMostSweepPoints));
      }
      size *= axis.size();
    }
  }

  void read_exclude(const Tree& exclude) {
    spec_.exclude = texts("exclude", exclude, kMostExpressions);
    std::vector<std::string> names;
    for (const std::string& setting : spec_.settings) names.push_back(underscored(setting));
    for (std::size_t i = 0; i < spec_.exclude.size(); ++i) {
      const std::string field = fmt::format("exclude[{}]", i);
      jinja::Condition condition(spec_.exclude[i], fmt::format("{}: {}", origin_, field));
      for (const std::string& name : condition.variables()) {
        if (std::find(names.begin(), names.end(), name) != names.end()) continue;
        fail(field, fmt::format("'{}' is not set in base or axes; name {}{}", shown(name),
                                names.size() > 1 ? "one of " : "", fmt::join(names, ", ")));
      }
      spec_.conditions.push_back(std::move(condition));
    }
  }

  std::vector<std::string> texts(const std::string& field, const Tree& list,
                                 std::size_t most) const {
    if (!list.is_array() || list.empty()) {
      fail(field, fmt::format("is {}; write a list of texts, or leave it out",
                              list.is_array() ? "empty" : kind_of(list)));
    }
    if (list.size() > most)
      fail(field, fmt::format("has {} entries; write at most {}", list.size(), most));
    std::vector<std::string> all;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!list[i].is_string() || list[i].get_ref<const std::string&>().empty()) {
        fail(fmt::format("{}[{}]", field, i),
             fmt::format("is {}; write a text in quotes", kind_of(list[i])));
      }
      all.push_back(list[i]);
      if (std::find(all.begin(), all.end() - 1, all.back()) != all.end() - 1)
        fail(fmt::format("{}[{}]", field, i),
             fmt::format("'{}' stands twice; write it once", shown(all.back())));
    }
    return all;
  }

  const std::string& origin_;
  const CheckSetting& check_;
  SweepSpec spec_;
};

}  // namespace

SweepAxis::SweepAxis(std::string name, std::vector<Piece> pieces)
    : name_(std::move(name)), pieces_(std::move(pieces)) {
  LINGUA_CHECK(!pieces_.empty(), "{}", name_);
  std::uint64_t size = 0;
  for (const Piece& piece : pieces_) {
    begins_.push_back(size);
    const auto* range = std::get_if<Range>(&piece);
    size += range ? static_cast<std::uint64_t>(range->last - range->first) + 1 : 1;
  }
  begins_.push_back(size);
}

json SweepAxis::at(std::uint64_t index) const {
  LINGUA_CHECK(index < size(), "{} of {}", index, name_);
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), index);
  const auto piece = static_cast<std::size_t>(after - begins_.begin()) - 1;
  if (const auto* settings = std::get_if<json>(&pieces_[piece])) return *settings;
  const auto& range = std::get<Range>(pieces_[piece]);
  return {{name_, range.first + static_cast<std::int64_t>(index - begins_[piece])}};
}

std::uint64_t SweepSpec::size() const {
  std::uint64_t size = 1;
  for (const SweepAxis& axis : axes) size *= axis.size();
  return size;
}

std::string SweepSpec::digest() const {
  json all = {{"name", name},          {"what", what}, {"base", base},
              {"axes", json::array()}, {"keep", keep}, {"exclude", exclude}};
  for (const SweepAxis& axis : axes) {
    json values = json::array();
    for (const SweepAxis::Piece& piece : axis.pieces()) {
      const auto* range = std::get_if<SweepAxis::Range>(&piece);
      values.push_back(range ? json::array({range->first, range->last}) : std::get<json>(piece));
    }
    all["axes"].push_back({axis.name(), values});
  }
  return checksum128(all.dump());
}

SweepSpec load_sweep(const std::filesystem::path& file, const CheckSetting& check) {
  return parse_sweep(read_file(file, 4 << 20), file.string(), check);
}

SweepSpec parse_sweep(const std::string& yaml, const std::string& origin,
                      const CheckSetting& check) {
  SweepSpec spec = Reader(origin, check).read(parse_yaml(yaml, origin));
  spec.text = yaml;
  return spec;
}

}  // namespace lingua
