#include "runtime/report/result_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/report/example_results.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What the page holds as data, as a browser finds it.
nlohmann::json data_in(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const std::size_t from = page.find(open) + open.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(ResultPage, HoldsEveryValue) {
  const ResultTable table = testing::planners_sweep();
  const auto data = data_in(result_page(table));
  ASSERT_EQ(data["rows"]["id"].size(), table.rows.size());
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const auto& json = data["rows"]["values"][c][row];
      const ResultValue& value = table.rows[row].values[c];
      if (const auto* number = std::get_if<double>(&value)) {
        EXPECT_EQ(json.get<double>(), *number);  // to the last bit
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        EXPECT_EQ(json.get<std::string>(), *text);
      } else {
        EXPECT_TRUE(json.is_null());
      }
    }
  }
  EXPECT_EQ(data["rerun"], "lingua rerun 'my sweep.db' ");
  EXPECT_EQ(data["columns"][5]["unit"], "s");
  // Rows that share a picture share it in the file.
  EXPECT_EQ(data["pictures"].size(), 72U);
  EXPECT_EQ(data["rows"]["pictures"][0], data["rows"]["pictures"][4]);
}

TEST(ResultPage, IsTheSamePageWhateverTheNamesHold) {
  const auto structure = [](const std::string& page) {
    return std::vector{count(page, "<script"), count(page, "</script>"), count(page, "<!--"),
                       count(page, "<style"), count(page, "</title>")};
  };
  ResultTable plain;
  plain.columns = {{"a", "", ColumnKind::kAxis}};
  PageOptions options;
  options.sections = {
      {testing::kHostile, testing::kHostile, {{testing::kHostile, testing::kHostile}}}};
  const std::string page = result_page(testing::hostile_results(), options);
  EXPECT_EQ(structure(page), structure(result_page(plain)));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\xff")));
  EXPECT_THAT(page, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(page, HasSubstr("<title>&lt;/script&gt;&lt;script&gt;window.broken"));
  const auto data = data_in(page);
  EXPECT_THAT(data["title"].get<std::string>(),
              HasSubstr("</script><script>window.broken = 1</script><!-- "));
  EXPECT_EQ(data["rows"]["values"][2][1], "inf");
}

TEST(ResultPage, LoadsNothingAndCarriesTheLicenceOfWhatItHolds) {
  const std::string page = result_page(testing::planners_sweep());
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* loads :
       {"src=\"http", "href=\"http", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML ="})
    EXPECT_THAT(page, Not(HasSubstr(loads)));
  EXPECT_THAT(page, HasSubstr("Copyright (c) 2022 Leon Sorokin"));
  EXPECT_THAT(page, Not(HasSubstr("{{data}}")));
  EXPECT_EQ(result_page(testing::planners_sweep()), page);
}

TEST(ResultPage, OfTenThousandRowsIsAFewMegabytes) {
  EXPECT_LT(result_page(testing::large_sweep()).size(), 3'000'000U);
}

}  // namespace
}  // namespace lingua
