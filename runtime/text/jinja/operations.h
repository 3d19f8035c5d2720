#pragma once
// What operators, attributes, methods, filters and tests do with values.
//
// Errors: InputError without file or line.

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/text/jinja/value.h"

namespace lingua::jinja {

struct Arguments {
  List positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

// The arguments by the names of a function's parameters. Errors: one that it does not have.
using Bound = std::vector<std::optional<Value>>;
Bound bind(const Arguments& arguments, std::initializer_list<const char*> names,
           const std::string& callee);
std::int64_t whole_or(const std::optional<Value>& value, std::int64_t otherwise);
bool truth_or(const std::optional<Value>& value, bool otherwise);
std::string text_or(const std::optional<Value>& value, const std::string& otherwise);

Value binary(const std::string& operation, const Value& a, const Value& b, Budget& budget);
Value negative(const Value& value);
bool contains(const Value& whole, const Value& part, Budget& budget);
std::int64_t length(const Value& value);

// value.name and value[key]: the first looks for methods first, the second for keys.
Value attribute(const Value& value, const std::string& name, Budget& budget);
Value item(const Value& value, const Value& key, Budget& budget);
Value slice(const Value& value, const Value& from, const Value& to, const Value& step,
            Budget& budget);

bool has_method(const Value& value, const std::string& name);
Value call_method(const Value& self, const std::string& name, const Arguments& arguments,
                  Budget& budget);

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments,
                   Budget& budget);
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments,
                Budget& budget);
bool has_filter(const std::string& name);
bool has_test(const std::string& name);

// Python's string methods where filters have them too.
enum class Sides { kBoth, kLeft, kRight };
std::string stripped(const std::string& text, const std::optional<Value>& characters, Sides sides);
std::vector<std::string> split_lines(const std::string& text, bool keep_ends);
std::string replaced(const std::string& text, const std::string& from, const std::string& to,
                     std::int64_t most, Budget& budget);
std::string upper(const std::string& text);
std::string lower(const std::string& text);
std::string capitalised(const std::string& text);
std::string padded(const std::string& text, std::int64_t width, const std::string& fill,
                   Sides spaces, Budget& budget);
// The text of a value for HTML: that of a markup as it is.
std::string escaped(const Value& value, Budget& budget);
// `text`, as markup where `like` is one.
Value text_like(const Value& like, std::string text);
// "a %s" % value, and "{} {name}".format(...). Errors: also a format that is no text.
Value percent_format(const Value& format, const Value& values, Budget& budget);
Value brace_format(const Value& format, const Arguments& arguments, Budget& budget);

}  // namespace lingua::jinja
