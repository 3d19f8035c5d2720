#include "runtime/report/figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/report/figure_style.h"
#include "runtime/report/text_width.h"
#include "runtime/report/ticks.h"
#include "runtime/report/timeline_picture.h"
#include "tests/report/example_results.h"
#include "tests/report/svg_texts.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::trouble_with_texts;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(Figure, NoTextCoversAnotherOrLeavesThePaper) {
  for (const auto& [name, figure] : testing::example_figures())
    EXPECT_EQ(trouble_with_texts(figure_svg(figure), figure.width_pt, 8), "") << name;
}

TEST(Figure, NoTextCoversAnotherHoweverManyCategoriesThereAre) {
  for (int categories : {1, 2, 3, 5, 8, 13, 21, 34, 89}) {
    for (const char* name :
         {"x", "phone {}", "a_long_name_of_a_phone_{}", "long names of phones {} in words"}) {
      for (double width : {kColumnWidthPt, kPageWidthPt}) {
        Figure figure;
        figure.kind = FigureKind::kBars;
        figure.width_pt = width;
        figure.y.title = "y";
        figure.series.push_back({"", {}});
        for (int c = 0; c < categories; ++c) {
          figure.x.categories.push_back(fmt::format(fmt::runtime(name), c));
          figure.series[0].points.push_back({double(c), 1.0 + c});
        }
        EXPECT_EQ(trouble_with_texts(figure_svg(figure), width, 8), "")
            << categories << " times " << name;
      }
    }
  }
}

TEST(Figure, NoTickCoversAnotherWhateverTheValues) {
  for (double scale : {1e-9, 1e-4, 0.01, 1.0, 123.0, 98765.0, 1e7, 1e13}) {
    for (double from : {0.0, 1.0, 99.0}) {
      for (bool logarithmic : {false, true}) {
        if (logarithmic && from == 0) continue;
        Figure figure;
        figure.x.title = figure.y.title = "value";
        figure.x.logarithmic = figure.y.logarithmic = logarithmic;
        figure.series.push_back({"series", {}});
        for (int i = 0; i < 25; ++i) {
          const double value = scale * (from + i * 0.37 + 0.01 * i * i);
          figure.series[0].points.push_back({value, value * value});
        }
        EXPECT_EQ(trouble_with_texts(figure_svg(figure), kColumnWidthPt, 8), "")
            << scale << " from " << from << (logarithmic ? ", logarithmic" : "");
      }
    }
  }
}

TEST(Figure, IsAsWideAsTheColumnAndSaysWhatItShows) {
  Figure figure = testing::example_figures()[0].figure;
  const std::string svg = figure_svg(figure);
  EXPECT_THAT(svg, HasSubstr("width=\"240pt\""));
  EXPECT_THAT(svg, HasSubstr("font-size=\"8\""));
  EXPECT_THAT(
      svg, HasSubstr("aria-label=\"tokens per s (1/s) by phones: cbc, dp, even, lingualinked\""));
  for (const char* text :
       {">phones<", ">tokens per s (1/s)<", ">cbc<", ">dp<", ">even<", ">lingualinked<"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_EQ(figure_svg(figure), svg);
}

TEST(Figure, DrawsEachPointAndInterval) {
  Figure figure;
  figure.y.title = "y";
  figure.series = {{"a", {{1, 5, std::pair(4.0, 6.0)}, {2, 7, std::pair(6.0, 8.0)}, {4, 3, {}}}}};
  const std::string svg = figure_svg(figure);
  EXPECT_EQ(count(svg, "stroke-width=\"0.7\" fill=\"none\"/>"),
            2 + 3U);                            // two intervals; the frame, two axes' marks
  EXPECT_EQ(count(svg, "a2.00 2.00"), 2 * 4U);  // two arcs for each marker and the legend's
  for (const char* tick : {">1<", ">2<", ">4<"}) EXPECT_THAT(svg, HasSubstr(tick));
  EXPECT_THAT(svg, Not(HasSubstr(">3<")));  // no point is there
}

TEST(Figure, TellsTwelveSeriesApartInGrey) {
  std::set<std::tuple<std::string, int, bool>> lines;
  std::set<std::pair<int, bool>> marks;
  std::set<std::pair<int, bool>> bars;
  for (std::size_t s = 0; s < 12; ++s) {
    const SeriesStyle style = series_style(s);
    lines.insert({style.dash, style.marker, style.open});
    marks.insert({style.marker, style.open});
    bars.insert({style.hatch, style.open});
  }
  EXPECT_EQ(lines.size(), 12U);
  EXPECT_EQ(marks.size(), 12U);
  EXPECT_EQ(bars.size(), 12U);
}

TEST(Figure, EscapesWhatXmlReservesOrForbids) {
  Figure figure = testing::example_figures()[0].figure;
  figure.title = figure.x.title = figure.series[0].name = figure.description = testing::kHostile;
  const std::string svg = figure_svg(figure);
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, Not(HasSubstr("\x1b")));
  EXPECT_THAT(svg, Not(HasSubstr("\xff")));
  EXPECT_EQ(trouble_with_texts(svg, figure.width_pt, 8), "");
}

TEST(Figure, RefusesWhatItCannotDraw) {
  Figure figure;
  figure.y.title = "rate";
  const auto refusal = [&] {
    try {
      figure_svg(figure);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("drawn");
  };
  EXPECT_EQ(refusal(), "figure: nothing to draw of 'rate'");
  figure.series = {{"a", {{1, std::nan("")}}}};
  EXPECT_EQ(refusal(), "figure: series 'a' has a value that is not finite");
  figure.series = {{"a", {{1, -2}}}};
  figure.y.logarithmic = true;
  EXPECT_EQ(
      refusal(),
      "figure: series 'a' has -2 on the logarithmic axis 'rate', which shows positive values");
  figure.y.logarithmic = false;
  figure.kind = FigureKind::kBars;
  EXPECT_EQ(refusal(), "figure: bars and boxes need categories");
  figure.x.categories = {"c"};
  EXPECT_EQ(refusal(), "figure: series 'a' has category 1 of 1");
  figure.series = {{"a", {{0, 2}}}};
  EXPECT_EQ(refusal(), "drawn");
  figure.published = {{0, 1, 1, 2}};
  EXPECT_THAT(refusal(),
              HasSubstr("a published range of category 0 and series 1, which are not there"));
  figure.published.clear();
  figure.y.from = 5;
  figure.y.to = 4;
  EXPECT_EQ(refusal(), "figure: the axis 'rate' goes from 5 to 4");
}

TEST(FigureOf, HasMeansAndIntervalsOverSeeds) {
  const Figure figure =
      figure_of(testing::planners_sweep(), {"phones", "tokens per s", "planner", {{"link", 20.0}}},
                FigureKind::kLines);
  ASSERT_EQ(figure.series.size(), 4U);
  EXPECT_EQ(figure.series[0].name, "cbc");
  EXPECT_EQ(figure.series[2].points.size(), 5U);  // on 8 phones "even" fails
  ASSERT_EQ(figure.series[0].points.size(), 6U);
  const FigurePoint& point = figure.series[0].points[3];
  EXPECT_EQ(point.x, 4);
  EXPECT_NEAR(point.y, 9 * std::pow(4, 0.7), 3);
  ASSERT_TRUE(point.interval.has_value());
  EXPECT_NEAR(point.interval->first + point.interval->second, 2 * point.y, 1e-9);
}

TEST(FigureOf, MakesCategoriesForBarsInTheOrderOfNumbers) {
  const Figure figure =
      figure_of(testing::planners_sweep(), {"phones", "TTFT", "planner", {{"link", 20.0}}},
                FigureKind::kBars);
  EXPECT_THAT(figure.x.categories, ElementsAre("1", "2", "3", "4", "6", "8"));
  EXPECT_EQ(figure.series[2].points.back().x, 4);
}

TEST(Ticks, AreRound) {
  EXPECT_THAT(linear_ticks(0, 10, 6), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(linear_ticks(0, 10, 5), ElementsAre(0, 5, 10));
  EXPECT_THAT(tick_texts(linear_ticks(0, 1, 6)),
              ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(tick_texts(linear_ticks(-1, 1, 3)), ElementsAre("\xe2\x88\x92"
                                                              "1",
                                                              "0", "1"));
  EXPECT_THAT(tick_texts(linear_ticks(0, 3e6, 4)), ElementsAre("0", "1M", "2M", "3M"));
  EXPECT_THAT(tick_texts(log_ticks(1, 60, 8)), ElementsAre("1", "2", "5", "10", "20", "50"));
  EXPECT_THAT(log_ticks(1e-3, 1e4, 8), ElementsAre(1e-3, 0.01, 0.1, 1, 10, 100, 1000, 1e4));
  EXPECT_THAT(log_ticks(1, 1e12, 5), ElementsAre(1, 1e3, 1e6, 1e9, 1e12));
}

TEST(TextWidth, BreaksAndShortensToWhatFits) {
  EXPECT_NEAR(text_width("Hello", 10), 7.22 + 5.56 + 2.22 + 2.22 + 5.56, 1e-9);
  EXPECT_THAT(wrapped("one two three", text_width("one two", 8), 8),
              ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("", 50, 8), ElementsAre());
  const std::string name = "a_name_of_many_letters_7";
  EXPECT_EQ(shortened(name, 500, 8), name);
  const std::string less = shortened(name, 50, 8);
  EXPECT_LE(text_width(less, 8), 50);
  EXPECT_THAT(less, ::testing::AllOf(::testing::StartsWith("a_n"), ::testing::EndsWith("_7")));
  std::string joined;
  for (const std::string& line : wrapped(std::string(300, 'w'), 60, 8)) {
    EXPECT_LE(text_width(line, 8), 60);
    joined += line;
  }
  EXPECT_EQ(joined, std::string(300, 'w'));
}

TEST(Timeline, HasARowForEachDeviceAndALaneForEachKind) {
  TimelinePicture picture;
  picture.title = "two <phones>";
  picture.events = {{"a", "compute", Seconds(0), Seconds(1)},
                    {"a", "transfer", Seconds(1), Seconds(1.5)},
                    {"b", "compute", Seconds(1.5), Seconds(3)}};
  const std::string svg = timeline_svg(picture);
  for (const char* text :
       {">a<", ">b<", ">compute<", ">transfer<", ">time (s)<", "two &lt;phones&gt;"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_EQ(trouble_with_texts(svg, kPageWidthPt, 8), "");
  picture.events[0].end = Seconds(-1);
  EXPECT_THROW(timeline_svg(picture), InputError);
  picture.events.clear();
  EXPECT_THROW(timeline_svg(picture), InputError);
}

TEST(Timeline, StaysSmallWithManyEvents) {
  TimelinePicture picture;
  for (int i = 0; i < 100000; ++i)
    picture.events.push_back({"a", "compute", Seconds(i * 0.01), Seconds(i * 0.01 + 0.004)});
  const std::string svg = timeline_svg(picture);
  EXPECT_LT(svg.size(), 20000U);
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.40\""));  // the part of the time that is filled
}

}  // namespace
}  // namespace lingua
