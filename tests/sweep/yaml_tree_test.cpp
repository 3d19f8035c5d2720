#include "runtime/sweep/yaml_tree.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "runtime/base/errors.h"
#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::refusal;

std::string json_of(const std::string& yaml) { return parse_yaml(yaml, "x.yaml").dump(); }

TEST(YamlTree, KeepsTheOrderOfTheFileAndTheKindsOfValues) {
  EXPECT_EQ(json_of("b: [1, -2, 1.5, 2.0, 1e3, true, text, \"7\", 'true', ~]\na: {c: }\n"),
            R"({"b":[1,-2,1.5,2,1000,true,"text","7","true",null],"a":{"c":null}})");
}

TEST(YamlTree, TakesForANumberOnlyWhatIsWrittenAsOne) {
  for (const char* text : {"007", "+1", "0x10", "1_000", "1..20", ".inf", ".nan", "e", "-", "1.5s",
                           "yes", "99999999999999999999", "1e999"})
    EXPECT_EQ(json_of(fmt::format("[{}]", text)), fmt::format("[\"{}\"]", text));
  EXPECT_EQ(json_of("[18446744073709551615, -9223372036854775808]"),
            "[18446744073709551615,-9223372036854775808]");
}

TEST(YamlTree, WritesAliasesOut) {
  EXPECT_EQ(json_of("a: &x [1, {b: 2}]\nc: *x\n"), R"({"a":[1,{"b":2}],"c":[1,{"b":2}]})");
}

// Each level holds the one before nine times: 9^20 values.
TEST(YamlTree, RefusesABombOfAliases) {
  std::string bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i <= 20; ++i) {
    std::string list;
    for (int k = 0; k < 9; ++k) list += fmt::format("{}*a{}", k == 0 ? "" : ", ", i - 1);
    bomb += fmt::format("a{}: &a{} [{}]\n", i, i, list);
  }
  EXPECT_THAT(refusal<InputError>([&] { json_of(bomb); }),
              HasSubstr("more than 16000000 bytes when its aliases are written out"));
  const std::string long_text(100'000, 'x');
  std::string texts = "a: &a " + long_text + "\nb: [";
  for (int i = 0; i < 1000; ++i) texts += "*a, ";
  EXPECT_THAT(refusal<InputError>([&] { json_of(texts + "1]\n"); }), HasSubstr("more than"));
}

TEST(YamlTree, RefusesWhatIsNoTree) {
  std::string fields;
  for (int i = 0; i < 1001; ++i) fields += fmt::format("f{}: 1\n", i);
  for (const auto& one : std::map<std::string, std::string>{
           {"", "x.yaml: holds no YAML document"},
           {"# nothing\n", "holds no YAML document"},
           {"a: 1\n---\nb: 2\n", "line 2: holds a second YAML document"},
           {"a: 1\na: 2\n", "line 2: 'a' stands twice; write it once"},
           {"a: &x [*x]\n", "an alias stands inside what it stands for"},
           {"a: *y\n", "is not YAML"},
           {"a: [1\n", "is not YAML"},
           {"\tb: 1\n", "is not YAML"},
           {"[a]: 1\n", "a field's name is no text"},
           {"a: !!binary aGk=\n", "the tag 'tag:yaml.org,2002:binary' is not accepted"},
           {"a: !mine [1]\n", "the tag '!mine' is not accepted"},
           {std::string(40, '[') + std::string(40, ']'), "is nested deeper than 32 levels"},
           {std::string(100'000, '['), "x.yaml"},
           {fields, "line 1001: a mapping has more than 1000 fields"},
           {"a: \xff\n", "is not UTF-8"},
           {std::string((4 << 20) + 1, '#'), "larger than 4194304 bytes"}}) {
    EXPECT_THAT(refusal<InputError>([&] { json_of(one.first); }), HasSubstr(one.second))
        << one.first.substr(0, 40);
  }
}

TEST(YamlTree, DamagedIsReadOrRefused) {
  const std::string whole = testing::kHundred;
  int refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char c : {'\0', '\xff', '*', '&', '{', '\n', ',', '-', '!'}) {
      std::string damaged = whole;
      damaged[i] = c;
      try {
        json_of(damaged);
      } catch (const InputError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace lingua
