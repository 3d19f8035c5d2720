#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/operations.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

bool cased(const std::string& c) { return upper(c) != c || lower(c) != c; }

std::string title_case(const std::string& text) {
  std::string out;
  bool inside = false;
  for (const std::string_view view : characters(text)) {
    const std::string c(view);
    out += inside ? lower(c) : capitalised(c);
    inside = cased(c);
  }
  return out;
}

std::string swapped_case(const std::string& text) {
  std::string out;
  for (const std::string_view view : characters(text)) {
    const std::string c(view);
    out += upper(c) == c ? lower(c) : upper(c);
  }
  return out;
}

List as_values(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

// By white space. What is left after so many splits keeps the white space at its end.
Value split_words(const std::string& text, std::int64_t most, bool from_right) {
  std::vector<std::string_view> all = characters(text);
  if (from_right) std::reverse(all.begin(), all.end());
  List parts;
  auto at = std::find_if_not(all.begin(), all.end(), is_space);
  while (at != all.end()) {
    const bool rest = most >= 0 && static_cast<std::int64_t>(parts.size()) >= most;
    const auto end = rest ? all.end() : std::find_if(at, all.end(), is_space);
    std::vector<std::string_view> part(at, end);
    if (from_right) std::reverse(part.begin(), part.end());
    std::string word;
    for (const std::string_view c : part) word += c;
    parts.emplace_back(std::move(word));
    at = std::find_if_not(end, all.end(), is_space);
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return Value::list(std::move(parts));
}

Value split(const std::string& text, const Arguments& arguments, bool from_right) {
  const Bound bound = bind(arguments, {"sep", "maxsplit"}, "split");
  const bool spaces = !bound[0] || bound[0]->is_none();
  const std::string separator = spaces ? "" : text_or(bound[0], "");
  if (!spaces && separator.empty()) fail("split by an empty separator");
  const std::int64_t most = whole_or(bound[1], -1);
  const auto room = [&](const List& parts) {
    return most < 0 || static_cast<std::int64_t>(parts.size()) < most;
  };
  List parts;
  if (!spaces && !from_right) {
    std::size_t from = 0;
    for (std::size_t at; room(parts) && (at = text.find(separator, from)) != text.npos;) {
      parts.emplace_back(text.substr(from, at - from));
      from = at + separator.size();
    }
    parts.emplace_back(text.substr(from));
    return Value::list(std::move(parts));
  }
  if (!spaces) {
    std::size_t end = text.size();
    while (room(parts) && end >= separator.size()) {
      const std::size_t at = text.rfind(separator, end - separator.size());
      if (at == text.npos) break;
      parts.emplace_back(text.substr(at + separator.size(), end - at - separator.size()));
      end = at;
    }
    parts.emplace_back(text.substr(0, end));
    std::reverse(parts.begin(), parts.end());
    return Value::list(std::move(parts));
  }
  return split_words(text, most, from_right);
}

Value partition(const std::string& text, const Arguments& arguments, bool from_right) {
  const std::string separator = text_or(bind(arguments, {"sep"}, "partition")[0], "");
  if (separator.empty()) fail("partition by an empty separator");
  const std::size_t at = from_right ? text.rfind(separator) : text.find(separator);
  if (at == text.npos) {
    return from_right ? Value::list({"", "", Value(text)}, true)
                      : Value::list({Value(text), "", ""}, true);
  }
  return Value::list({text.substr(0, at), separator, text.substr(at + separator.size())}, true);
}

// text[start:end], and how many characters are before it; less than zero where it begins behind the
// text's end.
std::pair<std::int64_t, std::string> between(const std::string& text,
                                             const std::optional<Value>& start,
                                             const std::optional<Value>& end) {
  const bool from_begin = !start || start->is_none();
  if (from_begin && (!end || end->is_none())) return {0, text};
  const std::vector<std::string_view> all = characters(text);
  const auto size = static_cast<std::int64_t>(all.size());
  const auto bound = [&](const std::optional<Value>& value, std::int64_t otherwise) {
    const std::int64_t at = value && !value->is_none() ? whole_or(value, 0) : otherwise;
    return at < 0 ? std::max<std::int64_t>(0, std::max(at, -size) + size) : at;
  };
  const std::int64_t first = bound(start, 0);
  const std::int64_t last = std::min(bound(end, size), size);
  if (first > last) return {-1, ""};
  std::string part;
  for (std::int64_t i = first; i < last; ++i) part += all[static_cast<std::size_t>(i)];
  return {first, part};
}

Value found_at(const std::string& whole, const std::string& name, const Arguments& arguments) {
  const Bound bound = bind(arguments, {"sub", "start", "end"}, name);
  const std::string part = text_or(bound[0], "");
  const auto [before, text] = between(whole, bound[1], bound[2]);
  if (before < 0) {
    if (name == "index" || name == "rindex") fail("substring not found");
    return Value(std::int64_t{name == "count" ? 0 : -1});
  }
  if (name == "count") {
    if (part.empty()) return Value(length_of(text) + 1);
    std::int64_t count = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
    return Value(count);
  }
  const std::size_t at = name[0] == 'r' ? text.rfind(part) : text.find(part);
  if (at == text.npos) {
    if (name == "index" || name == "rindex") fail("substring not found");
    return Value(std::int64_t{-1});
  }
  return Value(before + length_of(std::string_view(text).substr(0, at)));
}

Value begins_or_ends(const std::string& whole, const std::string& name,
                     const Arguments& arguments) {
  const Bound bound = bind(arguments, {"prefix", "start", "end"}, name);
  if (!bound[0]) fail(fmt::format("{} without a text", name));
  const auto [before, text] = between(whole, bound[1], bound[2]);
  if (before < 0) return Value(false);
  const List choices = bound[0]->is_tuple() ? bound[0]->items() : List{*bound[0]};
  return Value(std::any_of(choices.begin(), choices.end(), [&, &own = text](const Value& choice) {
    const std::string part = text_or(choice, "");
    return name == "startswith" ? own.starts_with(part) : own.ends_with(part);
  }));
}

bool all_are(const std::string& text, const std::string& name) {
  const std::vector<std::string_view> all = characters(text);
  if (name == "isupper" || name == "islower") {
    return (name == "isupper" ? upper(text) : lower(text)) == text && upper(text) != lower(text);
  }
  if (all.empty()) return name == "isascii";
  return std::all_of(all.begin(), all.end(), [&](std::string_view c) {
    const char32_t code = utf8_piece(c, 0).code_point;
    if (name == "isascii") return code < 0x80;
    if (name == "isspace") return is_space(c);
    if (name == "isdecimal") return numeric_type(code) == NumericType::kDecimal;
    if (name == "isdigit") return numeric_type(code) >= NumericType::kDigit;
    const bool numeric = numeric_type(code) != NumericType::kNone;
    if (name == "isnumeric") return numeric;
    return is_letter(code) || (name == "isalnum" && numeric);
  });
}

const std::set<std::string>& text_methods() {
  static const std::set<std::string> kNames = {
      "strip",        "lstrip",    "rstrip",  "split",      "rsplit",     "splitlines",
      "startswith",   "endswith",  "replace", "upper",      "lower",      "casefold",
      "title",        "swapcase",  "find",    "rfind",      "index",      "rindex",
      "count",        "join",      "format",  "format_map", "isdigit",    "isdecimal",
      "isalpha",      "isspace",   "isupper", "islower",    "isalnum",    "isnumeric",
      "isascii",      "zfill",     "ljust",   "rjust",      "capitalize", "removeprefix",
      "removesuffix", "partition", "center",  "rpartition"};
  return kNames;
}

Value case_method(const std::string& text, const std::string& name) {
  if (name == "upper") return Value(upper(text));
  if (name == "lower") return Value(lower(text));
  if (name == "casefold") return Value(folded_case(text));
  if (name == "title") return Value(title_case(text));
  if (name == "swapcase") return Value(swapped_case(text));
  return Value(capitalised(text));
}

Value width_method(const std::string& text, const std::string& name, const Arguments& arguments,
                   Budget& budget) {
  const Bound bound = bind(arguments, {"width", "fillchar"}, name);
  const std::int64_t width = whole_or(bound[0], 0);
  if (name == "zfill") {
    const bool sign = text.starts_with('-') || text.starts_with('+');
    return Value(text.substr(0, sign ? 1 : 0) + padded(text.substr(sign ? 1 : 0),
                                                       width - (sign ? 1 : 0), "0", Sides::kLeft,
                                                       budget));
  }
  const std::string fill = text_or(bound[1], " ");
  if (length_of(fill) != 1) fail("a fill is one character");
  const Sides sides = name == "ljust"   ? Sides::kRight
                      : name == "rjust" ? Sides::kLeft
                                        : Sides::kBoth;
  return Value(padded(text, width, fill, sides, budget));
}

Value joined(const std::string& text, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"iterable"}, "join");
  std::string out;
  bool first = true;
  for (const Value& one : iterate(bound[0] ? *bound[0] : Value(), budget)) {
    if (!one.is_text()) fail(fmt::format("join: {} is no text", one.type()));
    budget.spend(static_cast<std::int64_t>(text.size() + one.text().size()));
    if (!first) out += text;
    out += one.text();
    first = false;
  }
  return Value(std::move(out));
}

Value text_method(const Value& self, const std::string& name, const Arguments& arguments,
                  Budget& budget) {
  const std::string& text = self.text();
  budget.spend(static_cast<std::int64_t>(text.size()) * 4);
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is({"strip", "lstrip", "rstrip"})) {
    const Sides sides = name == "strip"    ? Sides::kBoth
                        : name == "lstrip" ? Sides::kLeft
                                           : Sides::kRight;
    return Value(stripped(text, bind(arguments, {"chars"}, name)[0], sides));
  }
  if (is({"split", "rsplit"})) {
    budget.spend(static_cast<std::int64_t>(text.size()) * 32);
    return split(text, arguments, name == "rsplit");
  }
  if (name == "splitlines") {
    const Bound bound = bind(arguments, {"keepends"}, name);
    return Value::list(as_values(split_lines(text, truth_or(bound[0], false))));
  }
  if (is({"startswith", "endswith"})) return begins_or_ends(text, name, arguments);
  if (name == "replace") {
    const Bound bound = bind(arguments, {"old", "new", "count"}, name);
    return Value(replaced(text, text_or(bound[0], ""), text_or(bound[1], ""),
                          whole_or(bound[2], -1), budget));
  }
  if (is({"upper", "lower", "casefold", "title", "swapcase", "capitalize"})) {
    bind(arguments, {}, name);
    return case_method(text, name);
  }
  if (is({"find", "rfind", "index", "rindex", "count"})) return found_at(text, name, arguments);
  if (name == "join") return joined(text, arguments, budget);
  if (name == "format") return brace_format(self, arguments, budget);
  if (name == "format_map") {
    const Bound bound = bind(arguments, {"mapping"}, name);
    if (!bound[0] || !bound[0]->is_dict()) fail("format_map() without a dictionary");
    Arguments named;
    for (const auto& [key, value] : bound[0]->entries()) {
      if (key.is_text()) named.keywords.emplace_back(key.text(), value);
    }
    return brace_format(self, named, budget);
  }
  if (is({"zfill", "ljust", "rjust", "center"})) {
    return width_method(text, name, arguments, budget);
  }
  if (is({"partition", "rpartition"})) return partition(text, arguments, name == "rpartition");
  if (is({"removeprefix", "removesuffix"})) {
    const std::string part = text_or(bind(arguments, {"part"}, name)[0], "");
    const bool there = name == "removeprefix" ? text.starts_with(part) : text.ends_with(part);
    if (!there) return Value(text);
    return Value(name == "removeprefix" ? text.substr(part.size())
                                        : text.substr(0, text.size() - part.size()));
  }
  bind(arguments, {}, name);
  return Value(all_are(text, name));
}

// What is put into markup is escaped; what comes out of it is markup.
Value markup_method(const Value& self, const std::string& name, Arguments arguments,
                    Budget& budget) {
  List& given = arguments.positional;
  if (name == "replace" && given.size() > 1 && given[1].is_text()) {
    given[1] = Value(escaped(given[1], budget));
  }
  if (name == "join" && !given.empty()) {
    List all = iterate(given[0], budget);
    for (Value& one : all) one = Value(escaped(one, budget));
    given[0] = Value::list(std::move(all));
  }
  const Value plain = text_method(self, name, arguments, budget);
  if (plain.is_text()) return Value::markup(plain.text());
  if (!plain.is_sequence()) return plain;
  List parts;
  for (const Value& one : plain.items()) parts.push_back(Value::markup(one.text()));
  return Value::list(std::move(parts), plain.is_tuple());
}

Value dict_method(const Value& self, const std::string& name, const Arguments& arguments,
                  Budget& budget) {
  const Entries& entries = self.entries();
  if (name == "get") {
    const Bound bound = bind(arguments, {"key", "default"}, "get");
    if (!bound[0]) fail("get() without a key");
    const Value* found = find(entries, *bound[0], budget);
    return found != nullptr ? *found : bound[1].value_or(Value());
  }
  bind(arguments, {}, name);
  if (name == "copy") return self;
  budget.spend(static_cast<std::int64_t>(entries.size()) * 96);
  List items;
  for (const auto& [key, value] : entries) {
    items.push_back(name == "items"  ? Value::list({key, value}, true)
                    : name == "keys" ? key
                                     : value);
  }
  auto view = std::make_shared<Object>();
  view->kind = Object::Kind::kView;
  view->name = "dict_" + name;
  view->self = Value::list(std::move(items));
  if (Value(view).depth() > kMaxDepth) fail("values nest too deeply");
  return Value(std::move(view));
}

Value list_method(const Value& self, const std::string& name, const Arguments& arguments,
                  Budget& budget) {
  if (name == "copy") return self;
  const Bound bound = bind(arguments, {"value", "start", "stop"}, name);
  if (!bound[0] || (bound[1] && name == "count")) fail(fmt::format("{}() takes a value", name));
  const auto size = static_cast<std::int64_t>(self.items().size());
  const auto index_of = [&](const std::optional<Value>& value, std::int64_t otherwise) {
    const std::int64_t at = whole_or(value, otherwise);
    return std::clamp<std::int64_t>(at < 0 ? std::max(at, -size) + size : at, 0, size);
  };
  std::int64_t count = 0;
  const auto end = static_cast<std::size_t>(index_of(bound[2], size));
  for (auto i = static_cast<std::size_t>(index_of(bound[1], 0)); i < end; ++i) {
    if (!equal(self.items()[i], *bound[0], budget)) continue;
    if (name == "index") return Value(static_cast<std::int64_t>(i));
    ++count;
  }
  if (name == "index") fail("the value is not in the list");
  return Value(count);
}

// Methods that change a value, which the sandbox of transformers forbids.
bool changes(const Value& value, const std::string& name) {
  static const std::set<std::string> kList = {"append", "clear",  "extend",  "insert",
                                              "pop",    "remove", "reverse", "sort"};
  static const std::set<std::string> kDict = {"clear", "pop", "popitem", "setdefault", "update"};
  if (value.is_dict()) return kDict.contains(name);
  return value.is_list() && kList.contains(name);
}

}  // namespace

bool has_method(const Value& value, const std::string& name) {
  if (value.is_text()) return text_methods().contains(name);
  if (value.is_dict()) {
    return name == "items" || name == "keys" || name == "values" || name == "get" ||
           name == "copy" || changes(value, name);
  }
  if (is(value, Object::Kind::kLoop)) return name == "cycle" || name == "changed";
  if (is(value, Object::Kind::kCycler)) return name == "next" || name == "reset";
  if (!value.is_sequence()) return false;
  return name == "index" || name == "count" || (name == "copy" && value.is_list()) ||
         changes(value, name);
}

Value call_method(const Value& self, const std::string& name, const Arguments& arguments,
                  Budget& budget) {
  if (changes(self, name)) {
    fail(fmt::format("{}() changes a {}, which templates may not", name, self.type()));
  }
  if (self.is_markup()) return markup_method(self, name, arguments, budget);
  if (self.is_text()) return text_method(self, name, arguments, budget);
  if (self.is_dict()) return dict_method(self, name, arguments, budget);
  return list_method(self, name, arguments, budget);
}

}  // namespace lingua::jinja
