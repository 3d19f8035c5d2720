#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "runtime/base/temporary.h"
#include "tests/report/example_results.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(WritePdf, MakesAPageThatIsAsLargeAsTheFigure) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("a figure.svg")) << figure_svg(testing::example_figures()[0].figure);
  const std::string trouble = write_pdf(folder.file("a figure.svg"), folder.file("figure.pdf"));
  if (trouble.find("not installed") != std::string::npos) GTEST_SKIP() << trouble;
  EXPECT_EQ(trouble, "");
  const std::string pdf = content(folder.file("figure.pdf"));
  EXPECT_THAT(pdf, StartsWith("%PDF-"));
  // Newer versions of cairo compress it.
  if (pdf.find("/MediaBox") != std::string::npos) {
    EXPECT_THAT(pdf, HasSubstr("/MediaBox [ 0 0 240 "));
  }
}

TEST(WritePdf, SaysInOneLineWhatStoodInTheWay) {
  const TemporaryFolder folder;
  const std::string missing = write_pdf(folder.file("none.svg"), folder.file("figure.pdf"));
  EXPECT_THAT(missing, StartsWith("no PDF: rsvg-convert"));
  EXPECT_EQ(missing.find('\n'), std::string::npos);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder.file("").c_str(), 1);
  const std::string not_there = write_pdf(folder.file("none.svg"), folder.file("figure.pdf"));
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(not_there,
            "no PDF: rsvg-convert is not installed (Debian: librsvg2-bin); the SVG is there");
}

}  // namespace
}  // namespace lingua
