// Templates against what jinja2 makes of them as transformers sets it up (golden/make_jinja.py).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/text/jinja/template.h"
#include "tests/text/golden.h"

namespace lingua::jinja {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

Value value_of(const json& field) {
  if (field.is_null()) return {};
  if (field.is_boolean()) return Value(field.get<bool>());
  if (field.is_number_integer()) return Value(field.get<std::int64_t>());
  if (field.is_number()) return Value(field.get<double>());
  if (field.is_string()) return Value(field.get<std::string>());
  if (field.is_array()) {
    List items;
    for (const json& one : field) items.push_back(value_of(one));
    return Value::list(std::move(items));
  }
  Entries entries;
  for (const auto& [key, one] : field.items()) entries.emplace_back(Value(key), value_of(one));
  return Value::dict(std::move(entries));
}

// 2026-03-09 14:05:07, as in make_jinja.py.
std::tm fixed_time() {
  std::tm now = {};
  now.tm_year = 126;
  now.tm_mon = 2;
  now.tm_mday = 9;
  now.tm_wday = 1;
  now.tm_yday = 67;
  now.tm_hour = 14;
  now.tm_min = 5;
  now.tm_sec = 7;
  return now;
}

// Dictionaries keep the order of the file.
json golden_file() { return json::parse(read_file(golden::folder() / "jinja.json")); }

// Null where the template refuses, as in the golden file.
json rendered(const std::string& source, const Entries& variables) {
  try {
    return Template(source, "t").render(variables, fixed_time());
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("t: line ")) << source;
    return nullptr;
  }
}

TEST(Jinja, GivesJinjasAnswersToSnippets) {
  const auto file = nlohmann::ordered_json::parse(read_file(golden::folder() / "jinja.json"));
  Entries variables;
  for (const auto& [name, value] : file["variables"].items()) {
    std::function<Value(const nlohmann::ordered_json&)> convert =
        [&](const nlohmann::ordered_json& one) -> Value {
      if (one.is_array()) {
        List items;
        for (const auto& part : one) items.push_back(convert(part));
        return Value::list(std::move(items));
      }
      if (!one.is_object()) return value_of(json(one));
      Entries entries;
      for (const auto& [key, part] : one.items()) entries.emplace_back(Value(key), convert(part));
      return Value::dict(std::move(entries));
    };
    variables.emplace_back(Value(name), convert(value));
  }
  for (const auto& entry : file["snippets"]) {
    const std::string source = entry[0];
    EXPECT_EQ(rendered(source, variables), json(entry[1])) << source;
  }
}

TEST(Jinja, RendersTemplatesOfPublishedStructures) {
  const json file = golden_file();
  EXPECT_GE(file["prompts"].size(), 25U);
  for (const auto& [name, answers] : file["prompts"].items()) {
    const std::string source = read_file(golden::folder() / "jinja_templates" / (name + ".jinja"));
    std::size_t index = 0;
    for (const json& messages : file["conversations"]) {
      for (const bool generate : {true, false}) {
        Entries variables;
        for (const auto& [token, text] : file["tokens"].items()) {
          variables.emplace_back(Value(token), value_of(text));
        }
        variables.emplace_back("messages", value_of(messages));
        variables.emplace_back("tools", Value());
        variables.emplace_back("documents", Value());
        variables.emplace_back("add_generation_prompt", Value(generate));
        EXPECT_EQ(rendered(source, variables), answers[index]) << name << " " << messages;
        ++index;
      }
    }
  }
}

std::string refusal(const std::string& source) {
  try {
    return "no refusal: " + Template(source, "t").render({}, fixed_time());
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(Jinja, NamesLineAndConstructOfWhatItRefuses) {
  EXPECT_THAT(refusal("a\n{% include 'x' %}"), AllOf(HasSubstr("line 2"), HasSubstr("include")));
  EXPECT_THAT(refusal("a\n\n{{ 1|xmlattr }}"), AllOf(HasSubstr("line 3"), HasSubstr("xmlattr")));
  EXPECT_THAT(refusal("{{ raise_exception('Roles!\n') }}"), HasSubstr("Roles!\\n"));
  EXPECT_EQ(refusal("{{ '%\x02' % [1] }}"), "t: line 1: the format '%\\u0002' is not known");
  EXPECT_THAT(refusal("\n{{ x.y }}"), AllOf(HasSubstr("line 2"), HasSubstr("'x' is undefined")));
}

TEST(Jinja, RefusesUnknownNamesWhenItReadsATemplateUnlessUnderACondition) {
  const auto read = [](const std::string& source) -> std::string {
    try {
      const Template made(source, "t");
      return "";
    } catch (const InputError& error) {
      return error.what();
    }
  };
  EXPECT_EQ(read("\n{% macro f() %}\n{{ 1|nof }}{% endmacro %}"),
            "t: line 3: the filter 'nof' is not known here");
  EXPECT_EQ(read("{% for i in [] %}{{ i is not nof }}{% endfor %}"),
            "t: line 1: the test 'nof' is not known here");
  EXPECT_EQ(read("{{ 1|nof if missing }}{% if missing %}{{ 1 is nof }}{% endif %}"), "");
}

TEST(Jinja, BoundsStepsMemoryAndDepth) {
  const std::string loops =
      "{% for a in range(99999) %}{% for a in range(99999) %}{% endfor %}{% endfor %}";
  EXPECT_THAT(refusal(loops), HasSubstr("too many steps"));
  EXPECT_THAT(refusal("{{ 'a' * 99999999999 }}"), HasSubstr("too much memory"));
  EXPECT_THAT(refusal("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), HasSubstr("deep"));
  EXPECT_THAT(refusal("{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}"),
              HasSubstr("nesting"));
  EXPECT_THAT(refusal("{% set n = namespace(x=1) %}{% for i in range(999) %}{% set n.x = [n.x] %}"
                      "{% endfor %}"),
              HasSubstr("nest deeper"));
  EXPECT_THAT(refusal("{% set n = namespace(x=1) %}{% for i in range(60) %}"
                      "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}"),
              HasSubstr("too much memory"));
  std::string sum = "{{ 1";
  for (int i = 0; i < 5000; ++i) sum += " + 1";
  EXPECT_THAT(refusal(sum + " }}"), HasSubstr("longer expression"));
}

}  // namespace
}  // namespace lingua::jinja
