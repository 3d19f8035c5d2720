#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/operations.h"
#include "runtime/text/jinja/sequence_filters.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

using Filter = Value (*)(const Value& value, const Arguments& arguments, Budget& budget);

Value absolute(const Value& value, const Arguments& arguments, Budget&) {
  bind(arguments, {}, "abs");
  if (value.is_undefined()) fail(value.what());
  if (!value.is_number()) fail(fmt::format("abs of {}", value.type()));
  return value.real() < 0 ? negative(value) : value.is_bool() ? Value(value.whole()) : value;
}

Value default_value(const Value& value, const Arguments& arguments, Budget&) {
  const Bound bound = bind(arguments, {"default_value", "boolean"}, "default");
  const bool replaces = value.is_undefined() || (truth_or(bound[1], false) && !truth(value));
  return replaces ? bound[0].value_or(Value("")) : value;
}

Value escaped(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "escape");
  std::string out;
  for (const char c : to_text(value, budget)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return Value(std::move(out));
}

std::optional<double> parsed_real(const std::string& text) {
  std::string bare = stripped(text, std::nullopt, Sides::kBoth);
  if (bare.empty() || bare.find_first_not_of("0123456789+-.eE_infatyINFATY") != bare.npos) {
    return std::nullopt;
  }
  std::erase(bare, '_');
  char* end = nullptr;
  const double value = std::strtod(bare.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return value;
}

Value to_float(const Value& value, const Arguments& arguments, Budget&) {
  const Bound bound = bind(arguments, {"default"}, "float");
  if (value.is_undefined()) fail(value.what());
  if (value.is_number()) return Value(value.real());
  if (value.is_text()) {
    if (const auto parsed = parsed_real(value.text())) return Value(*parsed);
  }
  return bound[0].value_or(Value(0.0));
}

Value to_int(const Value& value, const Arguments& arguments, Budget&) {
  const Bound bound = bind(arguments, {"default", "base"}, "int");
  const Value otherwise = bound[0].value_or(Value(std::int64_t{0}));
  const auto base = static_cast<int>(whole_or(bound[1], 10));
  if (base < 2 || base > 36) fail("int: a base from 2 to 36 is accepted");
  if (value.is_undefined()) fail(value.what());
  if (value.is_int() || value.is_bool()) return Value(value.whole());
  std::optional<double> real;
  if (value.is_float()) real = value.real();
  if (value.is_text()) {
    std::string bare = stripped(value.text(), std::nullopt, Sides::kBoth);
    std::erase(bare, '_');
    if (bare.starts_with('+')) bare = bare.substr(1);
    if (base == 16 && (bare.starts_with("0x") || bare.starts_with("0X"))) bare = bare.substr(2);
    std::int64_t whole = 0;
    const auto parsed = std::from_chars(bare.data(), bare.data() + bare.size(), whole, base);
    if (parsed.ec == std::errc() && parsed.ptr == bare.data() + bare.size()) return Value(whole);
    real = parsed_real(value.text());
  }
  if (!real || !(std::abs(*real) < 9e18)) return otherwise;
  return Value(static_cast<std::int64_t>(*real));
}

Value indented(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"width", "first", "blank"}, "indent");
  const std::string indent = bound[0] && bound[0]->is_text()
                                 ? bound[0]->text()
                                 : padded("", whole_or(bound[0], 4), " ", Sides::kLeft, budget);
  const bool blank = truth_or(bound[2], false);
  const std::vector<std::string> lines = split_lines(text_or(value, "") + "\n", false);
  std::string out = truth_or(bound[1], false) ? indent : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    budget.spend(static_cast<std::int64_t>(indent.size() + lines[i].size()));
    if (i > 0) out += "\n";
    if (i > 0 && (blank || !lines[i].empty())) out += indent;
    out += lines[i];
  }
  return Value(std::move(out));
}

Value replace_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"old", "new", "count"}, "replace");
  const std::int64_t most = bound[2] && !bound[2]->is_none() ? whole_or(bound[2], -1) : -1;
  return Value(
      replaced(to_text(value, budget), text_or(bound[0], ""), text_or(bound[1], ""), most, budget));
}

Value rounded(const Value& value, const Arguments& arguments, Budget&) {
  const Bound bound = bind(arguments, {"precision", "method"}, "round");
  const std::int64_t precision = whole_or(bound[0], 0);
  const std::string method = text_or(bound[1], "common");
  if (value.is_undefined()) fail(value.what());
  if (!value.is_number()) fail(fmt::format("round of {}", value.type()));
  if (precision < 0 || precision > 300) fail("round: a precision from 0 to 300 is accepted");
  if (method == "common") {
    if (!value.is_float()) return Value(value.whole());
    const std::string text = fmt::format("{:.{}f}", value.real(), precision);
    return Value(std::strtod(text.c_str(), nullptr));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "ceil") return Value(std::ceil(value.real() * scale) / scale);
  if (method != "floor") fail("round: the methods common, ceil and floor are accepted");
  return Value(std::floor(value.real() * scale) / scale);
}

Value title(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "title");
  std::string out;
  std::string word;
  const auto flush = [&] {
    const std::size_t first = word.empty() ? 0 : utf8_piece(word, 0).bytes;
    out += upper(word.substr(0, first)) + lower(word.substr(first));
    word.clear();
  };
  const std::string text = to_text(value, budget);
  for (const std::string_view c : characters(text)) {
    if (is_space(c) || c == "-" || c == "(" || c == "{" || c == "[" || c == "<") {
      flush();
      out += c;
    } else {
      word += c;
    }
  }
  flush();
  return Value(std::move(out));
}

Value to_json_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound =
      bind(arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}, "tojson");
  JsonStyle style;
  style.ascii = truth_or(bound[0], false);
  style.sort_keys = truth_or(bound[3], false);
  if (bound[1] && !bound[1]->is_none()) {
    style.indent = bound[1]->is_text()
                       ? bound[1]->text()
                       : padded("", whole_or(bound[1], 0), " ", Sides::kLeft, budget);
    style.item_separator = std::string(1, ',');
  }
  if (bound[2] && !bound[2]->is_none()) {
    const List both = iterate(*bound[2], budget);
    if (both.size() != 2) fail("tojson: two separators are accepted");
    style.item_separator = text_or(both[0], "");
    style.key_separator = text_or(both[1], "");
  }
  return Value(to_json(value, style, budget));
}

Value trimmed(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"chars"}, "trim");
  return Value(stripped(to_text(value, budget), bound[0], Sides::kBoth));
}

Value centred(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"width"}, "center");
  return Value(padded(to_text(value, budget), whole_or(bound[0], 80), " ", Sides::kBoth, budget));
}

Value format_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  Entries named;
  for (const auto& [name, one] : arguments.keywords) put(named, Value(name), one, budget);
  const Value values =
      named.empty() ? Value::list(arguments.positional, true) : Value::dict(std::move(named));
  return Value(percent_format(to_text(value, budget), values, budget));
}

Value as_text(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "string");
  return Value(to_text(value, budget));
}

Value attribute_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  return attribute(value, text_or(bind(arguments, {"name"}, "attr")[0], ""), budget);
}

const std::map<std::string, Filter>& filters() {
  static const std::map<std::string, Filter> kFilters = [] {
    std::map<std::string, Filter> all = {
        {"abs", absolute},
        {"attr", attribute_filter},
        {"capitalize", [](const Value& v, const Arguments&,
                          Budget& b) { return Value(capitalised(to_text(v, b))); }},
        {"center", centred},
        {"count", [](const Value& v, const Arguments&, Budget&) { return Value(length(v)); }},
        {"d", default_value},
        {"default", default_value},
        {"e", escaped},
        {"escape", escaped},
        {"float", to_float},
        {"format", format_filter},
        {"indent", indented},
        {"int", to_int},
        {"length", [](const Value& v, const Arguments&, Budget&) { return Value(length(v)); }},
        {"lower",
         [](const Value& v, const Arguments&, Budget& b) { return Value(lower(to_text(v, b))); }},
        {"replace", replace_filter},
        {"round", rounded},
        {"safe", as_text},
        {"string", as_text},
        {"title", title},
        {"tojson", to_json_filter},
        {"trim", trimmed},
        {"upper",
         [](const Value& v, const Arguments&, Budget& b) { return Value(upper(to_text(v, b))); }}};
    for (const auto& [name, filter] : sequence_filters()) all[name] = filter;
    return all;
  }();
  return kFilters;
}

}  // namespace

bool has_filter(const std::string& name) { return filters().contains(name); }

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments,
                   Budget& budget) {
  const auto found = filters().find(name);
  if (found == filters().end()) {
    fail(fmt::format("the filter {} is not known here", lingua::quoted(name)));
  }
  budget.spend(8);
  return found->second(value, arguments, budget);
}

}  // namespace lingua::jinja
