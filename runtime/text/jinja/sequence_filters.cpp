#include "runtime/text/jinja/sequence_filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/checkpoint/json.h"

namespace lingua::jinja {
namespace {

// "a.b.0" or 0, followed into a value; what is missing on the way is `otherwise`.
Value follow(const Value& value, const Value& path, Budget& budget,
             const std::optional<Value>& otherwise = std::nullopt) {
  const auto replaced = [&](Value found) {
    const bool missing = found.is_undefined() && otherwise && !otherwise->is_none();
    return missing ? *otherwise : found;
  };
  if (!path.is_text()) return replaced(item(value, path, budget));
  Value at = value;
  const std::string& text = path.text();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool whole = !part.empty() && parsed.ec == std::errc() &&
                       parsed.ptr == part.data() + part.size() && part[0] != '-';
    at = replaced(item(at, whole ? Value(index) : Value(part), budget));
    begin = end + 1;
  }
  return at;
}

Value folded(const Value& value, bool case_sensitive) {
  return value.is_text() && !case_sensitive ? Value(lower(value.text())) : value;
}

Value batch(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"linecount", "fill_with"}, "batch");
  const std::int64_t size = whole_or(bound[0], 0);
  if (size < 1) fail("batch: a count from 1 up is accepted");
  List rows;
  List row;
  const bool fills = bound[1] && !bound[1]->is_none();
  for (Value& one : iterate(value, budget)) {
    row.push_back(std::move(one));
    if (static_cast<std::int64_t>(row.size()) == size) {
      rows.push_back(Value::list(std::exchange(row, {})));
    }
  }
  if (!row.empty()) {
    while (fills && static_cast<std::int64_t>(row.size()) < size) {
      budget.spend(32);
      row.push_back(*bound[1]);
    }
    rows.push_back(Value::list(std::move(row)));
  }
  return generator(std::move(rows));
}

Value sorted_dict(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"case_sensitive", "by", "reverse"}, "dictsort");
  if (!value.is_dict()) fail(fmt::format("dictsort of {}", value.type()));
  const std::string by = text_or(bound[1], "key");
  if (by != "key" && by != "value") fail("dictsort: by key or value");
  List items;
  for (const auto& [key, one] : value.entries()) items.push_back(Value::list({key, one}, true));
  const std::size_t index = by == "key" ? 0 : 1;
  const bool sensitive = truth_or(bound[0], false);
  const bool reverse = truth_or(bound[2], false);
  std::stable_sort(items.begin(), items.end(), [&](const Value& a, const Value& b) {
    const int order =
        compare(folded(a.items()[index], sensitive), folded(b.items()[index], sensitive), budget);
    return reverse ? order > 0 : order < 0;
  });
  return Value::list(std::move(items));
}

Value first(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "first");
  const List items = iterate(value, budget);
  return items.empty() ? Value::undefined("no first item, the sequence was empty") : items[0];
}

Value last(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "last");
  if (value.is_object() && !is(value, Object::Kind::kView)) {
    fail(fmt::format("{} has no last item", value.type()));
  }
  const List items = iterate(value, budget);
  return items.empty() ? Value::undefined("no last item, the sequence was empty") : items.back();
}

// Sorted by the attribute; the parts of equal attributes together.
Value grouped(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"attribute", "default", "case_sensitive"}, "groupby");
  if (!bound[0]) fail("groupby needs an attribute");
  const bool sensitive = truth_or(bound[2], false);
  struct Keyed {
    Value key, one;
  };
  std::vector<Keyed> all;
  for (Value& one : iterate(value, budget)) {
    Value key = follow(one, *bound[0], budget, bound[1]);
    all.push_back({std::move(key), std::move(one)});
  }
  const auto key = [&](const Keyed& keyed) { return folded(keyed.key, sensitive); };
  std::stable_sort(all.begin(), all.end(), [&](const Keyed& a, const Keyed& b) {
    return compare(key(a), key(b), budget) < 0;
  });
  List groups;
  for (std::size_t i = 0; i < all.size();) {
    const Value real = all[i].key;
    const Value wanted = key(all[i]);
    List group;
    for (; i < all.size() && equal(key(all[i]), wanted, budget); ++i) group.push_back(all[i].one);
    groups.push_back(Value::group(real, std::move(group)));
  }
  return Value::list(std::move(groups));
}

// So many columns, the first ones longer by one where it does not come out even.
Value columns(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"slices", "fill_with"}, "slice");
  const std::int64_t count = whole_or(bound[0], 0);
  if (count < 1) fail("slice: a count from 1 up is accepted");
  const List all = iterate(value, budget);
  const auto size = static_cast<std::int64_t>(all.size());
  List slices;
  auto at = all.begin();
  for (std::int64_t i = 0; i < count; ++i) {
    budget.spend(64);
    const bool longer = i < size % count;
    const auto end = at + size / count + (longer ? 1 : 0);
    List part(at, end);
    if (bound[1] && !bound[1]->is_none() && !longer) part.push_back(*bound[1]);
    slices.push_back(Value::list(std::move(part)));
    at = end;
  }
  return generator(std::move(slices));
}

Value items_of(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "items");
  if (value.is_undefined()) return generator({});
  if (!value.is_dict()) fail(fmt::format("items of {}", value.type()));
  return generator(iterate(call_method(value, "items", {}, budget), budget));
}

Value join(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"d", "attribute"}, "join");
  const std::string separator = bound[0] ? to_text(*bound[0], budget) : "";
  std::string out;
  bool begun = false;
  for (const Value& one : iterate(value, budget)) {
    budget.spend(static_cast<std::int64_t>(separator.size()));
    if (std::exchange(begun, true)) out += separator;
    const bool by = bound[1] && !bound[1]->is_none();
    out += to_text(by ? follow(one, *bound[1], budget) : one, budget);
  }
  return Value(std::move(out));
}

Value list(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "list");
  return Value::list(iterate(value, budget));
}

Arguments rest_of(const Arguments& arguments, std::size_t from) {
  Arguments rest = arguments;
  const auto end =
      rest.positional.begin() + static_cast<std::ptrdiff_t>(std::min(from, rest.positional.size()));
  rest.positional.erase(rest.positional.begin(), end);
  return rest;
}

Value map(const Value& value, const Arguments& arguments, Budget& budget) {
  List mapped;
  if (!truth(value)) return generator({});
  if (arguments.positional.empty()) {
    const Bound bound = bind(arguments, {"attribute", "default"}, "map");
    if (!bound[0]) fail("map needs a filter or an attribute");
    for (const Value& one : iterate(value, budget)) {
      mapped.push_back(follow(one, *bound[0], budget, bound[1]));
    }
    return generator(std::move(mapped));
  }
  const std::string name = text_or(arguments.positional[0], "");
  const Arguments rest = rest_of(arguments, 1);
  for (const Value& one : iterate(value, budget)) {
    mapped.push_back(apply_filter(name, one, rest, budget));
  }
  return generator(std::move(mapped));
}

// select, reject, selectattr, rejectattr.
Value chosen(const Value& value, const Arguments& arguments, bool by_attribute, bool wanted,
             Budget& budget) {
  if (by_attribute && arguments.positional.empty()) fail("a missing attribute name");
  if (!truth(value)) return generator({});
  const std::size_t at = by_attribute ? 1 : 0;
  const bool tests = arguments.positional.size() > at;
  const std::string name = tests ? text_or(arguments.positional[at], "") : "";
  const Arguments rest = rest_of(arguments, at + 1);
  List kept;
  for (const Value& one : iterate(value, budget)) {
    const Value asked = by_attribute ? follow(one, arguments.positional[0], budget) : one;
    const bool holds = tests ? apply_test(name, asked, rest, budget) : truth(asked);
    if (holds == wanted) kept.push_back(one);
  }
  return generator(std::move(kept));
}

Value extreme(const Value& value, const Arguments& arguments, int sign, Budget& budget) {
  const Bound bound = bind(arguments, {"case_sensitive", "attribute"}, sign < 0 ? "min" : "max");
  const bool by = bound[1] && !bound[1]->is_none();
  const auto key = [&](const Value& one) {
    return folded(by ? follow(one, *bound[1], budget) : one, truth_or(bound[0], false));
  };
  const List items = iterate(value, budget);
  if (items.empty()) return Value::undefined("no aggregated item, the sequence was empty");
  const Value* best = &items[0];
  for (const Value& one : items) {
    if (compare(key(one), key(*best), budget) * sign > 0) best = &one;
  }
  return *best;
}

Value reversed(const Value& value, const Arguments& arguments, Budget& budget) {
  bind(arguments, {}, "reverse");
  List items = iterate(value, budget);
  std::reverse(items.begin(), items.end());
  if (!value.is_text()) return generator(std::move(items));
  std::string text;
  for (const Value& one : items) text += one.text();
  return text_like(value, std::move(text));
}

Value sorted(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"reverse", "case_sensitive", "attribute"}, "sort");
  const bool reverse = truth_or(bound[0], false);
  const bool by = bound[2] && !bound[2]->is_none();
  std::vector<Value> paths;
  if (by && bound[2]->is_text()) {
    const Arguments comma{{Value(",")}, {}};
    paths = call_method(*bound[2], "split", comma, budget).items();
  } else if (by) {
    paths.push_back(*bound[2]);
  }
  const auto key = [&](const Value& one, const Value& path) {
    return folded(follow(one, path, budget), truth_or(bound[1], false));
  };
  const auto order = [&](const Value& a, const Value& b) {
    if (!by) {
      return compare(folded(a, truth_or(bound[1], false)), folded(b, truth_or(bound[1], false)),
                     budget);
    }
    for (const Value& path : paths) {
      const int one = compare(key(a, path), key(b, path), budget);
      if (one != 0) return one;
    }
    return 0;
  };
  List items = iterate(value, budget);
  std::stable_sort(items.begin(), items.end(), [&](const Value& a, const Value& b) {
    return reverse ? order(a, b) > 0 : order(a, b) < 0;
  });
  return Value::list(std::move(items));
}

Value sum(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"attribute", "start"}, "sum");
  const bool by = bound[0] && !bound[0]->is_none();
  Value total = bound[1].value_or(Value(std::int64_t{0}));
  for (const Value& one : iterate(value, budget)) {
    total = binary("+", total, by ? follow(one, *bound[0], budget) : one, budget);
  }
  return total;
}

Value unique(const Value& value, const Arguments& arguments, Budget& budget) {
  const Bound bound = bind(arguments, {"case_sensitive", "attribute"}, "unique");
  const bool by = bound[1] && !bound[1]->is_none();
  List seen;
  List kept;
  for (const Value& one : iterate(value, budget)) {
    const Value key = folded(by ? follow(one, *bound[1], budget) : one, truth_or(bound[0], false));
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const Value& known) { return equal(known, key, budget); })) {
      continue;
    }
    seen.push_back(key);
    kept.push_back(one);
  }
  return generator(std::move(kept));
}

}  // namespace

const std::map<std::string, Value (*)(const Value&, const Arguments&, Budget&)>&
sequence_filters() {
  using V = const Value&;
  using A = const Arguments&;
  static const std::map<std::string, Value (*)(V, A, Budget&)> kFilters = {
      {"batch", batch},
      {"dictsort", sorted_dict},
      {"first", first},
      {"groupby", grouped},
      {"items", items_of},
      {"join", join},
      {"last", last},
      {"list", list},
      {"map", map},
      {"max", [](V v, A a, Budget& b) { return extreme(v, a, 1, b); }},
      {"min", [](V v, A a, Budget& b) { return extreme(v, a, -1, b); }},
      {"reject", [](V v, A a, Budget& b) { return chosen(v, a, false, false, b); }},
      {"rejectattr", [](V v, A a, Budget& b) { return chosen(v, a, true, false, b); }},
      {"reverse", reversed},
      {"select", [](V v, A a, Budget& b) { return chosen(v, a, false, true, b); }},
      {"selectattr", [](V v, A a, Budget& b) { return chosen(v, a, true, true, b); }},
      {"slice", columns},
      {"sort", sorted},
      {"sum", sum},
      {"unique", unique}};
  return kFilters;
}

}  // namespace lingua::jinja
