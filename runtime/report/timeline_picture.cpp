#include "runtime/report/timeline_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/report/figure_axes.h"
#include "runtime/report/figure_style.h"
#include "runtime/report/svg.h"
#include "runtime/report/text_width.h"

namespace lingua {
namespace {

constexpr double kEdge = 3;
constexpr double kFinest = 0.4;  // what is nearer to each other is drawn as one
constexpr double kLongestName = 110;

std::size_t place_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

struct Block {
  double from = 0;  // on the page
  double to = 0;
  double filled = 0;  // of its length
};

class Timeline {
 public:
  explicit Timeline(const TimelinePicture& picture) : picture_(picture) {
    for (const TimelineEvent& event : picture.events) add(event);
    if (lanes_.empty())
      throw InputError(fmt::format("timeline '{}': there are no events", picture.title));
    if (last_ > 0 && last_ < 1e-3) {
      unit_ = 1e-6;
      unit_name_ = "\xc2\xb5s";
    } else if (last_ > 0 && last_ < 1) {
      unit_ = 1e-3;
      unit_name_ = "ms";
    }
  }

  std::string draw() {
    const double top = heading();
    double names = 0;
    for (const std::string& device : devices_)
      names = std::max(names, text_width(device, kFigureFont));
    names = std::min(names, kLongestName);
    Rectangle area{kEdge + names + 5, top, picture_.width_pt - 8, top};
    for (std::size_t d = 0; d < devices_.size(); ++d) area.bottom += row_height(d);
    time_ = {0, last_ > 0 ? last_ / unit_ : 1, false, area.left, area.right};
    const std::vector<FigureTick> ticks = x_ticks(time_, {});
    grid(area, ticks);
    double y = top;
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      device_row(d, y, names);
      y += row_height(d);
    }
    draw_x_axis(svg_, area, time_, ticks);
    svg_.path(
        fmt::format("M{:.2f} {:.2f}V{:.2f}H{:.2f}", area.left, area.top, area.bottom, area.right),
        "stroke=\"#222222\" stroke-width=\"0.7\" fill=\"none\"");
    const double end = area.bottom + 2.5 + 2 * kFigureLine;
    svg_.text((area.left + area.right) / 2, end - 1, fmt::format("time ({})", unit_name_),
              "text-anchor=\"middle\"");
    return svg_.picture({picture_.width_pt, std::ceil(end + kEdge), "pt",
                         "Helvetica, Arial, 'Liberation Sans', sans-serif", kFigureFont,
                         fmt::format("{}: {} devices over {:.3g} {}", picture_.title,
                                     devices_.size(), last_ / unit_, unit_name_)});
  }

 private:
  void add(const TimelineEvent& event) {
    const double start = event.start.count();
    const double end = event.end.count();
    if (!std::isfinite(start) || !std::isfinite(end) || start < 0 || end < start)
      throw InputError(fmt::format("timeline '{}': {} of {} lasts from {} s to {} s",
                                   picture_.title, event.kind, event.device, start, end));
    last_ = std::max(last_, end);
    const std::size_t device = place_of(devices_, event.device);
    lanes_[{device, place_of(kinds_, event.kind)}].push_back({start, end});
  }

  // Title and kinds.
  double heading() {
    double y = kEdge;
    for (const std::string& line :
         wrapped(picture_.title, picture_.width_pt - 2 * kEdge, kFigureFont * 1.06)) {
      y += kFigureLine;
      svg_.text(kEdge, y - 2, line, "font-weight=\"bold\"");
    }
    double x = kEdge;
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      const std::string name = shortened(kinds_[k], 150, kFigureFont);
      const double width = 18 + text_width(name, kFigureFont) + 10;
      if (x + width > picture_.width_pt && x > kEdge) {
        x = kEdge;
        y += kFigureLine + 1;
      }
      draw_bar(svg_, {x, y + 1.5, x + 14, y + 8.5}, series_style(k));
      svg_.text(x + 18, y + 7.8, name);
      x += width;
    }
    return y + kFigureLine + 5;
  }

  std::size_t lane_count(std::size_t device) const {
    std::size_t count = 0;
    for (std::size_t k = 0; k < kinds_.size(); ++k) count += lanes_.contains({device, k}) ? 1 : 0;
    return count;
  }

  double row_height(std::size_t device) const {
    return std::max(static_cast<double>(lane_count(device)) * picture_.lane_pt + 3, 11.0);
  }

  void grid(const Rectangle& area, const std::vector<FigureTick>& ticks) {
    std::string d;
    for (const FigureTick& tick : ticks)
      d += fmt::format("M{:.2f} {:.2f}V{:.2f}", time_.at(tick.value), area.top, area.bottom);
    double y = area.top;
    for (std::size_t device = 0; device + 1 < devices_.size(); ++device) {
      y += row_height(device);
      d += fmt::format("M{:.2f} {:.2f}H{:.2f}", area.left, y, area.right);
    }
    svg_.path(d, "stroke=\"#dddddd\" stroke-width=\"0.5\"");
  }

  void device_row(std::size_t device, double top, double names) {
    svg_.text(kEdge + names, top + row_height(device) / 2 + 2.8,
              shortened(devices_[device], kLongestName, kFigureFont), "text-anchor=\"end\"");
    const double used = static_cast<double>(lane_count(device)) * picture_.lane_pt;
    double y = top + (row_height(device) - used) / 2;
    for (std::size_t k = 0; k < kinds_.size(); ++k) {
      const auto lane = lanes_.find({device, k});
      if (lane == lanes_.end()) continue;
      for (const Block& block : blocks(lane->second)) draw_block(block, y, series_style(k));
      y += picture_.lane_pt;
    }
  }

  void draw_block(const Block& block, double top, const SeriesStyle& style) {
    const Rectangle r{block.from, top + 0.6, std::max(block.to, block.from + 0.25),
                      top + picture_.lane_pt - 0.6};
    if (block.filled > 0.98 && r.right - r.left > 3) return draw_bar(svg_, r, style);
    svg_.path(fmt::format("M{:.2f} {:.2f}H{:.2f}V{:.2f}H{:.2f}z", r.left, r.top, r.right, r.bottom,
                          r.left),
              fmt::format("fill=\"{}\" fill-opacity=\"{:.2f}\"", style.colour,
                          std::clamp(block.filled, 0.3, 1.0)));
  }

  // The events of a lane with those together whose gap would not be seen.
  std::vector<Block> blocks(std::vector<std::pair<double, double>> spans) const {
    std::sort(spans.begin(), spans.end());
    std::vector<Block> result;
    double reached = -1;  // how far the block is filled
    for (const auto& [start, end] : spans) {
      const double from = time_.at(start / unit_);
      const double to = time_.at(end / unit_);
      if (result.empty() || from - result.back().to > kFinest) {
        result.push_back({from, to, to - from});
        reached = to;
        continue;
      }
      Block& block = result.back();
      block.filled += std::max(0.0, to - std::max(from, reached));
      reached = std::max(reached, to);
      block.to = std::max(block.to, to);
    }
    for (Block& block : result)
      block.filled = block.to > block.from ? block.filled / (block.to - block.from) : 1;
    return result;
  }

  const TimelinePicture& picture_;
  Svg svg_;
  std::vector<std::string> devices_;
  std::vector<std::string> kinds_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::pair<double, double>>> lanes_;
  FigureScale time_;
  double last_ = 0;
  double unit_ = 1;
  const char* unit_name_ = "s";
};

}  // namespace

std::string timeline_svg(const TimelinePicture& picture) { return Timeline(picture).draw(); }

}  // namespace lingua
