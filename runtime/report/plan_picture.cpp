#include "runtime/report/plan_picture.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/predict/estimate.h"
#include "runtime/report/explanation_text.h"
#include "runtime/report/plan_table.h"
#include "runtime/report/svg.h"

namespace lingua {
namespace {

constexpr double kWidth = 1100;
constexpr double kMargin = 24;
constexpr double kNames = 130;  // the column of the devices' names
constexpr double kRow = 58;
constexpr double kIdleRow = 44;
constexpr double kTop = 112;

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
    return svg_.picture(kWidth, y + 40);
  }

 private:
  void heading() {
    const Estimate& estimate = plan_.estimate;
    svg_.text(kMargin, 26,
              fmt::format("{} on {}: planned for {} by {}, {}", plan_.model, plan_.cluster,
                          objective_name(plan_.objective), plan_.planner, proof_text(plan_)),
              "font-size=\"17\" font-weight=\"bold\"");
    svg_.text(kMargin, 46, timing_text(estimate, request_.workload));
    const auto [first, second] = two_lines("what binds: " + explanation_.binds);
    svg_.text(kMargin, 64, first);
    svg_.text(kMargin, 80, second);
    const std::string grey = "fill=\"#666666\"";
    svg_.text(model_x(0), kTop - 8, fmt::format("the model, {} segments", segments()), grey);
    svg_.text(memory_x(), kTop - 8, "memory", grey);
    svg_.text(time_x(), kTop - 8, "time per request", grey);
  }

  double segments() const { return static_cast<double>(request_.segmentation->segments.size()); }
  double model_width() const { return 420; }
  double model_x(double segment) const {
    return kMargin + kNames + model_width() * segment / segments();
  }
  double memory_x() const { return model_x(segments()) + 40; }
  double time_x() const { return memory_x() + kBar + 30; }

  // One for each device.
  std::string colour(std::size_t s) const {
    const bool again = s > 0 && plan_.stages[s].device == plan_.header();
    return kColours[again ? 0 : s % kColours.size()];
  }

  void stage_row(std::size_t s, double y) {
    const Stage& stage = plan_.stages[s];
    const StageEstimate& estimate = plan_.estimate.stages[s];
    svg_.text(kMargin, y + 18, stage.device, "font-weight=\"bold\"");
    const char* role = plan_.stages.size() == 1              ? "everything"
                       : s == 0                              ? "header"
                       : s + 1 < plan_.stages.size()         ? ""
                       : header_keeps_last(plan_.stages) > 0 ? "header again"
                                                             : "tailer";
    svg_.text(kMargin, y + 34, role, "fill=\"#666666\"");
    svg_.box(model_x(0), y + 4, model_width(), 20, "#eeeeee");
    const double x = model_x(stage.first_segment);
    svg_.box(x, y + 4, model_x(stage.last_segment + 1) - x, 20, colour(s),
             request_.segmentation->segments[stage.first_segment].name + " to " +
                 request_.segmentation->segments[stage.last_segment].name);
    segments_label(stage, y + 18);
    if (s + 1 < plan_.stages.size()) handover(s, y);
    if (s > 0 && s + 1 == plan_.stages.size()) way_back(y);
    memory_bar(s, y);
    const double longest = longest_time();
    svg_.box(time_x(), y + 4, kBar, 20, "#eeeeee");
    const double compute = kBar * estimate.compute_s / longest;
    svg_.box(time_x(), y + 4, compute, 20, colour(s));
    svg_.box(time_x() + compute, y + 4, kBar * estimate.transfer_s / longest, 20, "#bbbbbb");
    svg_.text(
        time_x(), y + 38,
        fmt::format("{} ({:.0f}% of the time) + {} sending", format_seconds(estimate.compute_s),
                    100 * explanation_.stages[s].busy_share, format_seconds(estimate.transfer_s)),
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
      svg_.text((first + end) / 2, y, label, "fill=\"white\" text-anchor=\"middle\"");
    } else if (end + kRoom < model_x(segments())) {
      svg_.text(end + 5, y, label);
    } else {
      svg_.text(first - 5, y, label, "text-anchor=\"end\"");
    }
  }

  // The way down to the next stage, with what one decode step sends.
  void handover(std::size_t s, double y) {
    const Stage& from = plan_.stages[s];
    const Stage& to = plan_.stages[s + 1];
    const double x = model_x(to.first_segment);
    svg_.path(fmt::format("M{:.1f} {:.1f} V{:.1f} m-4 -6 l4 6 l4 -6", x, y + 24, y + kRow + 3),
              "stroke=\"#444444\" fill=\"none\"");
    const Step step = steps_of(request_.workload).back();
    double sent = request_.workload.messages.activations;
    for (const Transfer& transfer : plan_.transfers) {
      if (transfer.from == from.device && transfer.to == to.device)
        sent += transfer.bytes.at(step) + request_.workload.messages.tensor;
    }
    const LinkSpec link = link_alone(*request_.cluster, from.device, to.device);
    const bool left = x > model_x(segments() * 0.6);
    svg_.text(left ? x - 6 : x + 6, y + 46,
              fmt::format("{} in {}", format_bytes(sent),
                          format_seconds(link.latency.count() + sent / link.bytes_per_s)),
              left ? "font-size=\"11\" text-anchor=\"end\"" : "font-size=\"11\"");
  }

  // Of the token that a tailer chooses.
  void way_back(double y) {
    if (plan_.header() == plan_.tailer()) return;
    const LinkSpec link = link_alone(*request_.cluster, plan_.tailer(), plan_.header());
    svg_.text(model_x(segments()), y + 40,
              fmt::format("the token goes back to {} in {}", plan_.header(),
                          format_seconds(link.latency.count() +
                                         request_.workload.messages.result / link.bytes_per_s)),
              "font-size=\"11\" text-anchor=\"end\"");
  }

  void memory_bar(std::size_t s, double y) {
    const StageEstimate& row = plan_.estimate.stages[s];
    const double scale = kBar / row.memory_bytes;
    svg_.box(memory_x(), y + 4, kBar, 20, "#eeeeee", format_bytes(row.memory_bytes));
    svg_.box(memory_x(), y + 4, scale * row.weights_bytes, 20, colour(s), "weights");
    svg_.box(memory_x() + scale * row.weights_bytes, y + 4,
             scale * (row.state_bytes + row.activation_bytes), 20, "#777777",
             "KV cache, activations");
    svg_.text(memory_x(), y + 38,
              fmt::format("{} of {}{}", format_bytes(explanation_.stages[s].used_bytes),
                          format_bytes(row.memory_bytes),
                          explanation_.stages[s].no_room.empty() ? "" : ", no room"),
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
    svg_.text(kMargin, y + 18, idle.device, "fill=\"#888888\" font-weight=\"bold\"");
    svg_.text(kMargin, y + 34, "nothing", "fill=\"#888888\"");
    auto [first, second] = two_lines("why: " + idle.why);
    if (idle.value) {
      second += fmt::format("{}in all {}", second.empty() ? "" : "; ",
                            idle_text(*idle.value, explanation_, request_.objective));
    }
    svg_.text(model_x(0), y + 18, first, "fill=\"#666666\"");
    svg_.text(model_x(0), y + 34, second, "fill=\"#666666\"");
  }

  void legend(double y) {
    const std::string grey = "fill=\"#666666\" font-size=\"11\"";
    svg_.text(
        kMargin, y + 22,
        "memory: weights in colour, KV cache and activations dark grey; time: computing in colour, "
        "sending grey, the longest fills the bar; arrows: what one token's step sends",
        grey);
  }

  static constexpr double kBar = 170;

  const Plan& plan_;
  const PlanRequest& request_;
  const Explanation& explanation_;
  Svg svg_;
};

}  // namespace

std::string plan_picture(const Plan& plan, const PlanRequest& request,
                         const Explanation& explanation) {
  return Picture(plan, request, explanation).draw();
}

}  // namespace lingua
