#pragma once
// What a chat template computes with: Python's values, as far as templates see them.
//
// Strings are UTF-8, indexed by character. Lists and dictionaries never change; namespaces do.
// Errors: InputError without file or line, which the evaluator adds; also where a Budget is used up
// and where values nest deeper than kMaxDepth.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lingua::jinja {

// What one rendering may still cost: about a byte of memory or a nanosecond a unit.
class Budget {
 public:
  explicit Budget(std::int64_t units) : left_(units) {}
  void spend(std::int64_t units);
  std::int64_t left() const { return left_; }

 private:
  std::int64_t left_;
};

class Value;
struct Object;
struct Sequence;
struct Mapping;
using List = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>;

inline constexpr int kMaxDepth = 64;

struct Undefined {
  std::string what;  // "'x' is undefined"
};
struct None {};

class Value {
 public:
  using Text = std::shared_ptr<const std::string>;

  Value() : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(const char* text) : Value(std::string(text)) {}
  // Text of HTML, as the filters safe and escape give it: what is added to it is escaped.
  static Value markup(std::string text);
  Value(std::shared_ptr<Object> object) : data_(std::move(object)) {}
  static Value undefined(std::string what);
  static Value list(List items, bool tuple = false);
  // What groupby gives: a tuple whose parts have names too.
  static Value group(Value key, List items);
  // Errors: a step of 0; more than 100000 numbers, the sandbox's own limit.
  static Value range(std::int64_t start, std::int64_t stop, std::int64_t step, Budget& budget);
  static Value dict(Entries entries);

  bool is_undefined() const { return holds<std::shared_ptr<const Undefined>>(); }
  bool is_none() const { return holds<None>(); }
  bool is_bool() const { return holds<bool>(); }
  bool is_int() const { return holds<std::int64_t>(); }
  bool is_float() const { return holds<double>(); }
  bool is_number() const { return is_bool() || is_int() || is_float(); }
  bool is_text() const { return holds<Text>() || is_markup(); }
  bool is_markup() const { return holds<Markup>(); }
  bool is_sequence() const { return holds<std::shared_ptr<const Sequence>>(); }
  bool is_dict() const { return holds<std::shared_ptr<const Mapping>>(); }
  bool is_object() const { return holds<std::shared_ptr<Object>>(); }

  // REQUIRES: the kind.
  const std::string& text() const {
    return is_markup() ? *std::get<Markup>(data_).text : *std::get<Text>(data_);
  }
  const List& items() const;
  bool is_list() const;
  bool is_tuple() const;
  const Sequence& sequence() const { return *std::get<std::shared_ptr<const Sequence>>(data_); }
  const Entries& entries() const;
  Object& object() const { return *shared_object(); }
  const std::shared_ptr<Object>& shared_object() const {
    return std::get<std::shared_ptr<Object>>(data_);
  }
  const std::string& what() const;
  std::int64_t whole() const;  // of a bool or an int
  double real() const;         // of a number

  int depth() const;
  // "str object", "list object": as messages of Jinja name it.
  std::string type() const;

 private:
  struct Markup {
    Text text;
  };
  static Value sequence_of(Sequence sequence);
  template <typename T>
  bool holds() const {
    return std::holds_alternative<T>(data_);
  }
  std::variant<None, bool, std::int64_t, double, Text, Markup, std::shared_ptr<const Undefined>,
               std::shared_ptr<const Sequence>, std::shared_ptr<const Mapping>,
               std::shared_ptr<Object>>
      data_;
};

struct Sequence {
  enum class Form : std::uint8_t { kList, kTuple, kGroup, kRange };
  List items;
  Form form = Form::kList;
  int depth = 1;
  std::array<std::int64_t, 3> bounds = {};  // of a range
};
struct Mapping {
  Entries entries;
  int depth = 1;
};

struct Statement;
struct Scope;
// What has a name and state: a namespace, a macro, the variable "loop", a function, a method, a view
// of a dictionary, cycler and joiner, and what filters such as map give, which can be gone through
// once.
struct Object {
  enum class Kind {
    kNamespace,
    kMacro,
    kLoop,
    kFunction,
    kMethod,
    kGenerator,
    kView,
    kCycler,
    kJoiner
  };
  Kind kind = Kind::kFunction;
  std::string name;
  Value self;                        // of a method; the items of a loop, generator, view or cycler
  Entries attributes;                // of a namespace; what loop.changed was given last
  std::int64_t index = 0;            // of a loop or a cycler; how often a joiner was called
  const Statement* macro = nullptr;  // owned by the template
  Scope* scope = nullptr;            // where a macro was written; owned by the evaluator
  bool recursive = false;            // of a loop
  std::int64_t level = 0;
};

bool truth(const Value& value);
bool equal(const Value& a, const Value& b, Budget& budget);
// Less than zero, zero, more. Errors: kinds that have no order.
int compare(const Value& a, const Value& b, Budget& budget);
// Python's str() and repr().
std::string to_text(const Value& value, Budget& budget);
std::string to_repr(const Value& value, Budget& budget);

struct JsonStyle {
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
  bool ascii = false;
};
std::string to_json(const Value& value, const JsonStyle& style, Budget& budget);

bool is(const Value& value, Object::Kind kind);
// What can be gone through once, as in Python.
Value generator(List items);
// What a loop over the value sees. Errors: a value that has no items.
List iterate(const Value& value, Budget& budget);
const Value* find(const Entries& entries, const Value& key, Budget& budget);
void put(Entries& entries, const Value& key, Value value, Budget& budget);

// Characters of UTF-8 text.
std::vector<std::string_view> characters(std::string_view text);
std::int64_t length_of(std::string_view text);
std::string utf8_of(char32_t c);
bool is_space(std::string_view character);

// Throws InputError.
[[noreturn]] void fail(const std::string& message);

}  // namespace lingua::jinja
