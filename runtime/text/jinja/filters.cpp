#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/layout.h"
#include "runtime/text/jinja/operations.h"
#include "runtime/text/jinja/sequence_filters.h"
#include "runtime/text/unicode.h"
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
    const char prefix = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : '\0';
    const bool prefixed =
        bare.size() > 2 && bare[0] == '0' && lower(bare.substr(1, 1))[0] == prefix;
    if (prefix != 0 && prefixed) bare = bare.substr(2);
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
  return text_like(value, std::move(out));
}

Value replace_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"old", "new", "count"}, "replace");
  const std::int64_t most = bound[2] && !bound[2]->is_none() ? whole_or(bound[2], -1) : -1;
  return Value(
      replaced(to_text(value, budget), text_or(bound[0], ""), text_or(bound[1], ""), most, budget));
}

// To tens, hundreds, ...; a half to the even one.
Value rounded_whole(std::int64_t value, std::int64_t zeros) {
  if (zeros <= 0) return Value(value);
  if (zeros > 19) return Value(std::int64_t{0});
  __extension__ using Wide = __int128;
  Wide unit = 1;
  for (std::int64_t i = 0; i < zeros; ++i) unit *= 10;
  const Wide size = value < 0 ? -static_cast<Wide>(value) : static_cast<Wide>(value);
  Wide units = size / unit;
  const Wide twice = size % unit * 2;
  if (twice > unit || (twice == unit && units % 2 == 1)) ++units;
  const Wide result = value < 0 ? -units * unit : units * unit;
  if (result > INT64_MAX || result < INT64_MIN) fail("a number beyond 64 bits");
  return Value(static_cast<std::int64_t>(result));
}

// As Python does with a negative precision: by the nearest whole number of units.
double rounded_tens(double value, std::int64_t precision) {
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(value / unit) * unit;
}

// In words, an ellipsis behind; a text that is only a little longer stays whole.
Value truncated(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"length", "killwords", "end", "leeway"}, "truncate");
  const std::int64_t most = whole_or(bound[0], 255);
  const std::string end = text_or(bound[2], "...");
  const std::int64_t leeway = bound[3] && !bound[3]->is_none() ? whole_or(bound[3], 5) : 5;
  const std::int64_t room = most - length_of(end);
  if (room < 0) fail("truncate: a length of at least that of the end is accepted");
  if (leeway < 0) fail("truncate: a leeway from 0 up is accepted");
  if (value.is_undefined()) return value;
  if (!value.is_text()) fail(fmt::format("truncate of {}", value.type()));
  const std::string& text = value.text();
  budget.spend(static_cast<std::int64_t>(text.size()) * 16);
  if (length_of(text) - most <= leeway) return value;
  std::string kept = cut(text, room);
  if (!truth_or(bound[1], false)) kept.resize(std::min(kept.rfind(' '), kept.size()));
  return text_like(value, kept + (value.is_markup() ? escaped(Value(end), budget) : end));
}

Value word_count(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "wordcount");
  const std::string text = to_text(value, budget);
  std::int64_t count = 0;
  bool inside = false;
  for (const std::string_view c : characters(text)) {
    const bool word = is_word(utf8_piece(c, 0).code_point);
    if (word && !inside) ++count;
    inside = word;
  }
  return Value(count);
}

std::string quoted_url(const Value& value, bool query, Budget& budget) {
  std::string out;
  for (const char c : to_text(value, budget)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || is_one_of(c, "_.-~");
    if (plain || (c == '/' && !query)) {
      out += c;
    } else if (c == ' ' && query) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Value url_encoded(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "urlencode");
  const bool one = value.is_text() || value.is_number() || value.is_none();
  if (one) return Value(quoted_url(value, false, budget));
  const Value pairs = value.is_dict() ? call_method(value, "items", {}, budget) : value;
  std::string out;
  for (const Value& pair : iterate(pairs, budget)) {
    const List both = iterate(pair, budget);
    if (both.size() != 2) fail("urlencode takes a text, a dictionary or pairs");
    if (!out.empty()) out += '&';
    out += quoted_url(both[0], true, budget) + "=" + quoted_url(both[1], true, budget);
  }
  return Value(std::move(out));
}

Value rounded(const Value& value, const Arguments& arguments, Budget&) {
  const Bound bound = bind(arguments, {"precision", "method"}, "round");
  const std::int64_t precision = whole_or(bound[0], 0);
  const std::string method = text_or(bound[1], "common");
  if (value.is_undefined()) fail(value.what());
  if (!value.is_number()) fail(fmt::format("round of {}", value.type()));
  if (precision < -300 || precision > 300) fail("round: a precision from -300 to 300 is accepted");
  if (method == "common") {
    if (!value.is_float()) return rounded_whole(value.whole(), -precision);
    if (precision < 0) return Value(rounded_tens(value.real(), precision));
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
  return text_like(value, stripped(to_text(value, budget), bound[0], Sides::kBoth));
}

Value centred(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"width"}, "center");
  return text_like(
      value, padded(to_text(value, budget), whole_or(bound[0], 80), " ", Sides::kBoth, budget));
}

Value format_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  Entries named;
  for (const auto& [name, one] : arguments.keywords) put(named, Value(name), one, budget);
  const Value values =
      named.empty() ? Value::list(arguments.positional, true) : Value::dict(std::move(named));
  return percent_format(value.is_text() ? value : Value(to_text(value, budget)), values, budget);
}

Value as_text(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "string");
  return text_like(value, to_text(value, budget));
}

Value safe(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "safe");
  return Value::markup(to_text(value, budget));
}

Value escape(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "escape");
  return Value::markup(escaped(value, budget));
}

Value force_escape(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "forceescape");
  return Value::markup(escaped(Value(to_text(value, budget)), budget));
}

template <std::string (*change)(const std::string&)>
Value changed(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "this filter");
  return text_like(value, change(to_text(value, budget)));
}

Value attribute_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  return attribute(value, text_or(bind(arguments, {"name"}, "attr")[0], ""), budget);
}

const std::map<std::string, Filter>& filters() {
  static const std::map<std::string, Filter> kFilters = [] {
    std::map<std::string, Filter> all = {
        {"abs", absolute},
        {"attr", attribute_filter},
        {"capitalize", changed<capitalised>},
        {"center", centred},
        {"count", [](const Value& v, const Arguments&, Budget&) { return Value(length(v)); }},
        {"d", default_value},
        {"default", default_value},
        {"e", escape},
        {"escape", escape},
        {"float", to_float},
        {"forceescape", force_escape},
        {"format", format_filter},
        {"indent", indented},
        {"int", to_int},
        {"length", [](const Value& v, const Arguments&, Budget&) { return Value(length(v)); }},
        {"lower", changed<lower>},
        {"replace", replace_filter},
        {"round", rounded},
        {"safe", safe},
        {"string", as_text},
        {"title", title},
        {"tojson", to_json_filter},
        {"trim", trimmed},
        {"truncate", truncated},
        {"urlencode", url_encoded},
        {"upper", changed<upper>},
        {"wordcount", word_count}};
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
