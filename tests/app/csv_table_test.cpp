#include "runtime/app/csv_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

class CsvTableTest : public ::testing::Test {
 protected:
  CsvTable table(const std::string& text) {
    const std::string file = folder_.file("table.csv");
    std::ofstream(file, std::ios::binary) << text;
    return CsvTable(file);
  }
  // The message with which the table is refused; "" when it is not.
  std::string refusal(const std::string& text) {
    try {
      table(text);
      return "";
    } catch (const InputError& error) {
      return error.what();
    }
  }

  TemporaryFolder folder_;
};

TEST_F(CsvTableTest, ReadsCellsWithCommasQuotesAndLineBreaks) {
  const CsvTable read = table("text,label\n\"a, \"\"b\"\"\nc\",x\nplain,y\n");
  ASSERT_EQ(read.rows(), 2U);
  EXPECT_EQ(read.cell(0, "text"), "a, \"b\"\nc");
  EXPECT_EQ(read.cell(0, "label"), "x");
  EXPECT_EQ(read.cell(1, "text"), "plain");
}

TEST_F(CsvTableTest, TakesCarriageReturnsAByteOrderMarkAndALastRowWithoutAnEnd) {
  const CsvTable read = table("\xEF\xBB\xBFtext,label\r\na,x\r\nb,y");
  ASSERT_EQ(read.rows(), 2U);
  EXPECT_EQ(read.cell(1, "text"), "b");
  EXPECT_EQ(read.cell(1, "label"), "y");
}

TEST_F(CsvTableTest, KeepsTheSpacesAroundACell) {
  const CsvTable read = table("text,label\n  a ,\tb\n");
  EXPECT_EQ(read.cell(0, "text"), "  a ");
  EXPECT_EQ(read.cell(0, "label"), "\tb");
}

TEST_F(CsvTableTest, NamesTheColumnsWhenOneIsMissing) {
  const CsvTable read = table("text,label\na,x\n");
  EXPECT_TRUE(read.has_column("label"));
  EXPECT_FALSE(read.has_column("score"));
  try {
    read.cell(0, "score");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("no column 'score'; there are text, label"));
  }
}

TEST_F(CsvTableTest, NamesTheRowThatIsWrong) {
  EXPECT_THAT(refusal(""), ::testing::HasSubstr("is empty"));
  EXPECT_THAT(refusal("a,b\n1,2\n1,2,3\n"), ::testing::HasSubstr("row 2 has 3 cells"));
  EXPECT_THAT(refusal("a,b\n1\n"), ::testing::HasSubstr("row 1 has 1 cells"));
  EXPECT_THAT(refusal("a,b\n\"1,2\n"), ::testing::HasSubstr("row 1"));
  EXPECT_THAT(refusal("a,b\n1,x\"y\n"), ::testing::HasSubstr("row 1"));
  EXPECT_THAT(refusal("a,b\n1,\xFF\n"), ::testing::HasSubstr("row 1, column 'b'"));
  EXPECT_THAT(refusal("\xFF\xFE,b\n1,2\n"), ::testing::HasSubstr("a column's name"));
  EXPECT_THAT(refusal("a,a\n1,2\n"), ::testing::HasSubstr("two columns have one name"));
}

}  // namespace
}  // namespace lingua
