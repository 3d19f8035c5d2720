#include "runtime/plan/plan_picture.h"

#include <algorithm>
#include <array>

#include "runtime/base/errors.h"
#include "runtime/plan/estimate.h"

namespace lingua {
namespace {

constexpr double kWidth = 1060;
constexpr double kMargin = 24;
constexpr double kNames = 130;  // the column of the devices' names
constexpr double kRow = 58;
constexpr double kIdleRow = 44;
constexpr double kTop = 112;
constexpr std::array kColours = {
    "#4477aa", "#ee8866", "#44aa77", "#bb5588",
    "#ccaa33", "#66aacc", "#997744", "#8866bb"};  // readable by the colour-blind, Paul Tol

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

std::string seconds(double value) { return format_quantity(value, Unit::kSeconds); }
std::string bytes(double value) { return format_quantity(value, Unit::kBytes); }

// Cut at a space where one line would be too long.
std::pair<std::string, std::string> two_lines(const std::string& text) {
  constexpr std::size_t kLongest = 130;
  if (text.size() <= kLongest) return {text, ""};
  const std::size_t at = text.rfind(' ', kLongest);
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at), text.substr(at + 1)};
}

class Picture {
 public:
  Picture(const Plan& plan, const PlanRequest& request, const Explanation& explanation)
      : plan_(plan), request_(request), explanation_(explanation) {}

  std::string draw() {
    heading();
    double y = kTop;
    for (std::size_t s = 0; s < plan_.stages.size(); ++s, y += kRow) stage_row(s, y);
    for (const IdleReason& idle : explanation_.idle) {
      idle_row(idle, y);
      y += kIdleRow;
    }
    legend(y);
    const double height = y + 40;
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 "
               "0 "
               "{0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{0}\" "
               "height=\"{1}\" fill=\"white\"/>\n",
               kWidth, height) +
           body_ + "</svg>\n";
  }

 private:
  void text(double x, double y, const std::string& what, const std::string& style = "") {
    body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", x, y,
                         style.empty() ? "" : " " + style, escaped(what));
  }

  void box(double x, double y, double width, double height, const std::string& fill,
           const std::string& hint = "") {
    body_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\">", x, y,
        std::max(width, 0.0), height, fill);
    body_ += hint.empty() ? "</rect>\n" : fmt::format("<title>{}</title></rect>\n", escaped(hint));
  }

  void heading() {
    const Estimate& estimate = plan_.estimate;
    const Workload& workload = request_.workload;
    text(kMargin, 26,
         fmt::format("{} on {}: planner {}, best for {}", plan_.model, plan_.cluster, plan_.planner,
                     objective_name(plan_.objective)),
         "font-size=\"17\" font-weight=\"bold\"");
    text(kMargin, 46,
         fmt::format(
             "one request alone: {} ({} to the first token, then {} per token); {} requests, {} "
             "in flight: {:.3g} tokens/s",
             seconds(estimate.latency_s), seconds(estimate.ttft_s), seconds(estimate.tpot_s),
             workload.total_requests(), workload.in_flight, estimate.tokens_per_s));
    const auto [first, second] = two_lines("what binds: " + explanation_.binds);
    text(kMargin, 64, first);
    text(kMargin, 80, second);
    const std::string grey = "fill=\"#666666\"";
    text(model_x(0), kTop - 8, fmt::format("the model, {} segments", segments()), grey);
    text(memory_x(), kTop - 8, "memory", grey);
    text(time_x(), kTop - 8, "time per request", grey);
  }

  double segments() const { return static_cast<double>(request_.segmentation->segments.size()); }
  double model_width() const { return 420; }
  double model_x(double segment) const {
    return kMargin + kNames + model_width() * segment / segments();
  }
  double memory_x() const { return model_x(segments()) + 40; }
  double time_x() const { return memory_x() + kBar + 30; }

  static std::string colour(std::size_t s) { return kColours[s % kColours.size()]; }

  void stage_row(std::size_t s, double y) {
    const Stage& stage = plan_.stages[s];
    const StageEstimate& estimate = plan_.estimate.stages[s];
    text(kMargin, y + 18, stage.device, "font-weight=\"bold\"");
    const char* role = plan_.stages.size() == 1       ? "everything"
                       : s == 0                       ? "header"
                       : s + 1 == plan_.stages.size() ? "tailer"
                                                      : "";
    text(kMargin, y + 34, role, "fill=\"#666666\"");
    box(model_x(0), y + 4, model_width(), 20, "#eeeeee");
    const double x = model_x(stage.first_segment);
    box(x, y + 4, model_x(stage.last_segment + 1) - x, 20, colour(s),
        request_.segmentation->segments[stage.first_segment].name + " to " +
            request_.segmentation->segments[stage.last_segment].name);
    segments_label(stage, y + 18);
    if (s + 1 < plan_.stages.size()) handover(s, y);
    memory_bar(s, y);
    const double longest = longest_time();
    box(time_x(), y + 4, kBar, 20, "#eeeeee");
    const double compute = kBar * estimate.compute_s / longest;
    box(time_x(), y + 4, compute, 20, colour(s));
    box(time_x() + compute, y + 4, kBar * estimate.transfer_s / longest, 20, "#bbbbbb");
    text(time_x(), y + 38,
         fmt::format("{} + {} sending, busy {:.0f}%", seconds(estimate.compute_s),
                     seconds(estimate.transfer_s), 100 * explanation_.stages[s].busy_share),
         "font-size=\"11\"");
  }

  // In its part of the model where there is room, else beside it.
  void segments_label(const Stage& stage, double y) {
    constexpr double kRoom = 44;
    const double first = model_x(stage.first_segment);
    const double end = model_x(stage.last_segment + 1);
    const std::string label = stage.first_segment == stage.last_segment
                                  ? fmt::format("{}", stage.first_segment)
                                  : fmt::format("{}-{}", stage.first_segment, stage.last_segment);
    if (end - first > kRoom) {
      text((first + end) / 2, y, label, "fill=\"white\" text-anchor=\"middle\"");
    } else if (end + kRoom < model_x(segments())) {
      text(end + 5, y, label);
    } else {
      text(first - 5, y, label, "text-anchor=\"end\"");
    }
  }

  // The way down to the next stage, with what one decode step sends.
  void handover(std::size_t s, double y) {
    const Stage& from = plan_.stages[s];
    const Stage& to = plan_.stages[s + 1];
    const double x = model_x(to.first_segment);
    body_ += fmt::format(
        "<path d=\"M{0:.1f} {1:.1f} V{2:.1f} m-4 -6 l4 6 l4 -6\" stroke=\"#444444\" "
        "fill=\"none\"/>\n",
        x, y + 24, y + kRow + 3);
    const Step step = steps_of(request_.workload).back();
    double sent = kMessageBytes;
    for (const Transfer& transfer : plan_.transfers) {
      if (transfer.from == from.device && transfer.to == to.device) sent += transfer.bytes.at(step);
    }
    const LinkSpec link = link_alone(*request_.cluster, from.device, to.device);
    const bool left = x > model_x(segments() * 0.6);
    text(left ? x - 6 : x + 6, y + 46,
         fmt::format("{} in {}", bytes(sent),
                     seconds(link.latency.count() + sent / link.bytes_per_s)),
         left ? "font-size=\"11\" text-anchor=\"end\"" : "font-size=\"11\"");
  }

  void memory_bar(std::size_t s, double y) {
    const StageEstimate& row = plan_.estimate.stages[s];
    const double scale = kBar / row.memory_bytes;
    box(memory_x(), y + 4, kBar, 20, "#eeeeee", bytes(row.memory_bytes));
    box(memory_x(), y + 4, scale * row.weights_bytes, 20, colour(s), "weights");
    box(memory_x() + scale * row.weights_bytes, y + 4,
        scale * (row.state_bytes + row.activation_bytes), 20, "#777777", "KV cache, activations");
    text(memory_x(), y + 38,
         fmt::format("{} of {}{}", bytes(explanation_.stages[s].used_bytes),
                     bytes(row.memory_bytes), explanation_.stages[s].memory_binds ? ", full" : ""),
         "font-size=\"11\"");
  }

  double longest_time() const {
    double longest = 0;
    for (const StageEstimate& row : plan_.estimate.stages) {
      longest = std::max(longest, row.compute_s + row.transfer_s);
    }
    return longest > 0 ? longest : 1;
  }

  void idle_row(const IdleReason& idle, double y) {
    text(kMargin, y + 18, idle.device, "fill=\"#888888\" font-weight=\"bold\"");
    text(kMargin, y + 34, "nothing", "fill=\"#888888\"");
    auto [first, second] = two_lines("why: " + idle.why);
    if (idle.value) {
      const double loss = *idle.value / explanation_.value - 1;
      second += fmt::format("{}everything would be {}", second.empty() ? "" : "; ",
                            loss < 1e-3 ? "no faster" : fmt::format("{:.1f}% slower", 100 * loss));
    }
    text(model_x(0), y + 18, first, "fill=\"#666666\"");
    text(model_x(0), y + 34, second, "fill=\"#666666\"");
  }

  void legend(double y) {
    const std::string grey = "fill=\"#666666\" font-size=\"11\"";
    text(kMargin, y + 22,
         "memory: weights in colour, KV cache and activations dark; time: computing in colour, "
         "sending "
         "light; down arrows: what one token's step sends",
         grey);
  }

  static constexpr double kBar = 170;

  const Plan& plan_;
  const PlanRequest& request_;
  const Explanation& explanation_;
  std::string body_;
};

}  // namespace

std::string plan_picture(const Plan& plan, const PlanRequest& request,
                         const Explanation& explanation) {
  return Picture(plan, request, explanation).draw();
}

}  // namespace lingua
