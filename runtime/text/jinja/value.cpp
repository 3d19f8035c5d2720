#include "runtime/text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

int checked_depth(int depth) {
  if (depth > kMaxDepth) fail(fmt::format("values nest deeper than {}", kMaxDepth));
  return depth;
}

template <typename T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

int compare_numbers(const Value& a, const Value& b) {
  if (!a.is_float() && !b.is_float()) return order(a.whole(), b.whole());
  return order(a.real(), b.real());
}

}  // namespace

void fail(const std::string& message) { throw InputError(message); }

void Budget::spend(std::int64_t units) {
  if (units < 0 || units > left_) fail("the template takes too many steps or too much memory");
  left_ -= units;
}

Value Value::undefined(std::string what) {
  Value value;
  value.data_ = std::make_shared<const Undefined>(Undefined{std::move(what)});
  return value;
}

Value Value::markup(std::string text) {
  Value value;
  value.data_ = Markup{std::make_shared<const std::string>(std::move(text))};
  return value;
}

Value Value::sequence_of(Sequence sequence) {
  int depth = 0;
  for (const Value& item : sequence.items) depth = std::max(depth, item.depth());
  sequence.depth = checked_depth(depth + 1);
  Value value;
  value.data_ = std::make_shared<const Sequence>(std::move(sequence));
  return value;
}

Value Value::list(List items, bool tuple) {
  return sequence_of({std::move(items), tuple ? Sequence::Form::kTuple : Sequence::Form::kList});
}

Value Value::group(Value key, List items) {
  return sequence_of({{std::move(key), list(std::move(items))}, Sequence::Form::kGroup});
}

Value Value::range(std::int64_t start, std::int64_t stop, std::int64_t step, Budget& budget) {
  if (step == 0) fail("range() with the step 0");
  constexpr std::size_t kLongest = 100000;
  List items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() >= kLongest) fail("range() is longer than 100000");
    budget.spend(32);
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return sequence_of({std::move(items), Sequence::Form::kRange, 1, {start, stop, step}});
}

Value Value::dict(Entries entries) {
  int depth = 0;
  for (const auto& [key, item] : entries) depth = std::max({depth, key.depth(), item.depth()});
  Value value;
  value.data_ =
      std::make_shared<const Mapping>(Mapping{std::move(entries), checked_depth(depth + 1)});
  return value;
}

const List& Value::items() const { return sequence().items; }
bool Value::is_list() const { return is_sequence() && sequence().form == Sequence::Form::kList; }
bool Value::is_tuple() const {
  return is_sequence() &&
         (sequence().form == Sequence::Form::kTuple || sequence().form == Sequence::Form::kGroup);
}
const Entries& Value::entries() const {
  return std::get<std::shared_ptr<const Mapping>>(data_)->entries;
}
const std::string& Value::what() const {
  return std::get<std::shared_ptr<const Undefined>>(data_)->what;
}

std::int64_t Value::whole() const {
  return is_bool() ? static_cast<std::int64_t>(std::get<bool>(data_))
                   : std::get<std::int64_t>(data_);
}

double Value::real() const {
  return is_float() ? std::get<double>(data_) : static_cast<double>(whole());
}

int Value::depth() const {
  if (is_sequence()) return sequence().depth;
  if (is_dict()) return std::get<std::shared_ptr<const Mapping>>(data_)->depth;
  if (is_object() && object().kind != Object::Kind::kNamespace) return object().self.depth() + 1;
  return 0;
}

std::string Value::type() const {
  if (is_undefined()) return "undefined";
  if (is_none()) return "None";
  if (is_bool()) return "bool object";
  if (is_int()) return "int object";
  if (is_float()) return "float object";
  if (is_text()) return is_markup() ? "Markup object" : "str object";
  if (is_list()) return "list object";
  if (is_sequence()) return is_tuple() ? "tuple object" : "range object";
  if (is_dict()) return "dict object";
  switch (object().kind) {
    case Object::Kind::kNamespace: return "namespace object";
    case Object::Kind::kGenerator: return "generator object";
    case Object::Kind::kView: return object().name + " object";
    default: return "callable object";
  }
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (value.is_number()) return value.real() != 0;
  if (value.is_text()) return !value.text().empty();
  if (value.is_sequence()) return !value.items().empty();
  if (value.is_dict()) return !value.entries().empty();
  return !is(value, Object::Kind::kView) || truth(value.object().self);
}

namespace {

// Keys and items compare as sets, values by identity.
bool equal_views(const Value& a, const Value& b, Budget& budget) {
  const Object& left = a.object();
  const Object& right = b.object();
  if (left.name != right.name || left.name == "dict_values") return false;
  const List& all = right.self.items();
  return left.self.items().size() == all.size() &&
         std::all_of(left.self.items().begin(), left.self.items().end(), [&](const Value& one) {
           return std::any_of(all.begin(), all.end(),
                              [&](const Value& other) { return equal(one, other, budget); });
         });
}

}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.spend(4);
  if (a.is_number() && b.is_number()) {
    const bool whole = !a.is_float() && !b.is_float();
    return whole ? a.whole() == b.whole() : a.real() == b.real();
  }
  if (a.is_text() && b.is_text()) {
    budget.spend(static_cast<std::int64_t>(std::min(a.text().size(), b.text().size()) / 8));
    return a.text() == b.text();
  }
  if (a.is_sequence() && b.is_sequence()) {
    return a.is_tuple() == b.is_tuple() && a.is_list() == b.is_list() &&
           std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                      [&](const Value& x, const Value& y) { return equal(x, y, budget); });
  }
  if (a.is_dict() && b.is_dict()) {
    if (a.entries().size() != b.entries().size()) return false;
    return std::all_of(a.entries().begin(), a.entries().end(), [&](const auto& entry) {
      const Value* other = find(b.entries(), entry.first, budget);
      return other != nullptr && equal(entry.second, *other, budget);
    });
  }
  if (a.is_object() && b.is_object()) {
    if (&a.object() == &b.object()) return true;
    return is(a, Object::Kind::kView) && is(b, Object::Kind::kView) && equal_views(a, b, budget);
  }
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

int compare(const Value& a, const Value& b, Budget& budget) {
  budget.spend(4);
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) fail(value->what());
  }
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_text() && b.is_text()) {
    budget.spend(static_cast<std::int64_t>(std::min(a.text().size(), b.text().size()) / 8));
    return a.text().compare(b.text());
  }
  if ((a.is_list() && b.is_list()) || (a.is_tuple() && b.is_tuple())) {
    const std::size_t shared = std::min(a.items().size(), b.items().size());
    for (std::size_t i = 0; i < shared; ++i) {
      if (!equal(a.items()[i], b.items()[i], budget)) {
        return compare(a.items()[i], b.items()[i], budget);
      }
    }
    return order(a.items().size(), b.items().size());
  }
  fail(fmt::format("{} and {} have no order", a.type(), b.type()));
}

bool is(const Value& value, Object::Kind kind) {
  return value.is_object() && value.object().kind == kind;
}

Value generator(List items) {
  auto made = std::make_shared<Object>();
  made->kind = Object::Kind::kGenerator;
  made->name = "generator";
  made->self = Value::list(std::move(items));
  return Value(std::move(made));
}

List iterate(const Value& value, Budget& budget) {
  List items;
  if (value.is_sequence()) {
    items = value.items();
  } else if (value.is_dict()) {
    for (const auto& [key, item] : value.entries()) items.push_back(key);
  } else if (value.is_text()) {
    budget.spend(static_cast<std::int64_t>(value.text().size()) * 64);
    for (const std::string_view c : characters(value.text())) items.emplace_back(std::string(c));
  } else if (is(value, Object::Kind::kView)) {
    items = value.object().self.items();
  } else if (is(value, Object::Kind::kGenerator)) {
    items = value.object().self.items();
    value.object().self = Value::list({});
  } else if (!value.is_undefined()) {
    fail(fmt::format("{} has no items to go through", value.type()));
  }
  budget.spend(static_cast<std::int64_t>(items.size()) * 32);
  return items;
}

const Value* find(const Entries& entries, const Value& key, Budget& budget) {
  for (const auto& [known, value] : entries) {
    if (equal(known, key, budget)) return &value;
  }
  return nullptr;
}

void put(Entries& entries, const Value& key, Value value, Budget& budget) {
  if (key.is_dict() || key.is_list()) fail(fmt::format("{} cannot be a key", key.type()));
  for (auto& [known, old] : entries) {
    if (equal(known, key, budget)) {
      old = std::move(value);
      return;
    }
  }
  budget.spend(64);
  entries.emplace_back(key, std::move(value));
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = utf8_piece(text, at).bytes;
    all.push_back(text.substr(at, bytes));
    at += bytes;
  }
  return all;
}

std::int64_t length_of(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string utf8_of(char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) fail("a surrogate is no character");
  std::string text;
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  const unsigned first = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
  text += static_cast<char>(first | (c >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | ((c >> (6 * i)) & 0x3F));
  return text;
}

bool is_space(std::string_view character) {
  const char32_t c = utf8_piece(character, 0).code_point;
  return (c >= 0x1C && c <= 0x1F) || is_white_space(c);
}

}  // namespace lingua::jinja
