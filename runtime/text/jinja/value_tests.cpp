#include <fmt/format.h>

#include <functional>
#include <map>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/operations.h"

namespace lingua::jinja {
namespace {

double rest_by(const Value& value, const Value& divisor, Budget& budget) {
  const Value rest = binary("%", value, divisor, budget);
  if (!rest.is_number()) fail("odd, even and divisibleby are for numbers");
  return rest.real();
}

bool is_iterable(const Value& v) {
  return v.is_text() || v.is_sequence() || v.is_dict() || v.is_undefined() ||
         is(v, Object::Kind::kGenerator) || is(v, Object::Kind::kView) ||
         is(v, Object::Kind::kLoop);
}

bool is_callable(const Value& v) {
  return v.is_undefined() || is(v, Object::Kind::kMacro) || is(v, Object::Kind::kLoop) ||
         is(v, Object::Kind::kFunction) || is(v, Object::Kind::kMethod) ||
         is(v, Object::Kind::kJoiner);
}

using Plain = bool (*)(const Value& value, Budget& budget);
const std::map<std::string, Plain>& plain_tests() {
  using V = const Value&;
  static const std::map<std::string, Plain> kTests = {
      {"boolean", [](V v, Budget&) { return v.is_bool(); }},
      {"callable", [](V v, Budget&) { return is_callable(v); }},
      {"defined", [](V v, Budget&) { return !v.is_undefined(); }},
      {"escaped", [](V v, Budget&) { return v.is_markup(); }},
      {"even", [](V v, Budget& b) { return rest_by(v, Value(std::int64_t{2}), b) == 0; }},
      {"false", [](V v, Budget&) { return v.is_bool() && v.whole() == 0; }},
      {"filter", [](V v, Budget&) { return v.is_text() && has_filter(v.text()); }},
      {"float", [](V v, Budget&) { return v.is_float(); }},
      {"integer", [](V v, Budget&) { return v.is_int(); }},
      {"iterable", [](V v, Budget&) { return is_iterable(v); }},
      {"lower",
       [](V v, Budget& b) {
         const std::string text = to_text(v, b);
         return lower(text) == text && upper(text) != lower(text);
       }},
      {"mapping", [](V v, Budget&) { return v.is_dict(); }},
      {"none", [](V v, Budget&) { return v.is_none(); }},
      {"number", [](V v, Budget&) { return v.is_number(); }},
      {"odd", [](V v, Budget& b) { return rest_by(v, Value(std::int64_t{2}), b) == 1; }},
      {"sequence",
       [](V v, Budget&) {
         return v.is_text() || v.is_sequence() || v.is_dict() || v.is_undefined();
       }},
      {"string", [](V v, Budget&) { return v.is_text(); }},
      {"test", [](V v, Budget&) { return v.is_text() && has_test(v.text()); }},
      {"true", [](V v, Budget&) { return v.is_bool() && v.whole() == 1; }},
      {"undefined", [](V v, Budget&) { return v.is_undefined(); }},
      {"upper",
       [](V v, Budget& b) {
         const std::string text = to_text(v, b);
         return upper(text) == text && upper(text) != lower(text);
       }},
  };
  return kTests;
}

using Against = bool (*)(const Value& value, const Value& other, Budget& budget);
const std::map<std::string, Against>& tests_against() {
  using V = const Value&;
  static const std::map<std::string, Against> kTests = [] {
    const Against eq = equal;
    const Against ne = [](V a, V b, Budget& u) { return !equal(a, b, u); };
    const Against lt = [](V a, V b, Budget& u) { return compare(a, b, u) < 0; };
    const Against le = [](V a, V b, Budget& u) { return compare(a, b, u) <= 0; };
    const Against gt = [](V a, V b, Budget& u) { return compare(a, b, u) > 0; };
    const Against ge = [](V a, V b, Budget& u) { return compare(a, b, u) >= 0; };
    const Against in = [](V a, V b, Budget& u) { return contains(b, a, u); };
    const Against same = [](V a, V b, Budget& u) { return a.type() == b.type() && equal(a, b, u); };
    const Against divisible = [](V a, V b, Budget& u) { return rest_by(a, b, u) == 0; };
    return std::map<std::string, Against>{{"divisibleby", divisible},
                                          {"eq", eq},
                                          {"equalto", eq},
                                          {"==", eq},
                                          {"ne", ne},
                                          {"!=", ne},
                                          {"lt", lt},
                                          {"lessthan", lt},
                                          {"<", lt},
                                          {"le", le},
                                          {"<=", le},
                                          {"gt", gt},
                                          {"greaterthan", gt},
                                          {">", gt},
                                          {"ge", ge},
                                          {">=", ge},
                                          {"in", in},
                                          {"sameas", same}};
  }();
  return kTests;
}

}  // namespace

bool has_test(const std::string& name) {
  return plain_tests().contains(name) || tests_against().contains(name);
}

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments,
                Budget& budget) {
  budget.spend(8);
  const auto plain = plain_tests().find(name);
  if (plain != plain_tests().end()) {
    bind(arguments, {}, name);
    return plain->second(value, budget);
  }
  const auto against = tests_against().find(name);
  if (against == tests_against().end()) {
    fail(fmt::format("the test {} is not known here", lingua::quoted(name)));
  }
  const Bound bound = bind(arguments, {"other"}, name);
  if (!bound[0]) fail(fmt::format("is {} without a value", name));
  return against->second(value, *bound[0], budget);
}

}  // namespace lingua::jinja
