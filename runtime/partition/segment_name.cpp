#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "runtime/partition/segments.h"

namespace lingua::internal {
namespace {

struct Label {
  std::string block;  // "h.3", "lm_head"; empty: not known
  std::string part;   // "attention", "mlp", ...; empty: not known
  bool norm = false;  // a normalisation: never what a segment is about
};

bool contains(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream in(path);
  for (std::string part; std::getline(in, part, '.');) {
    const bool wrapper = part == "transformer" || part == "model" || part == "module";
    if (!(wrapper && parts.empty())) parts.push_back(part);
  }
  return parts;
}

bool names_a_norm(const std::string& component) {
  return contains(component, "norm") || component.starts_with("ln");
}

std::string part_name(const std::string& component) {
  if (contains(component, "attn") || contains(component, "attention")) return "attention";
  const bool mlp = contains(component, "mlp") || contains(component, "ffn") ||
                   contains(component, "feed_forward");
  return mlp ? "mlp" : component;
}

Label label_of_path(const std::vector<std::string>& path) {
  Label label;
  const auto number = std::find_if(path.begin(), path.end(), is_number);
  const auto end = number != path.end() ? number + 1 : path.begin() + (path.empty() ? 0 : 1);
  for (auto part = path.begin(); part != end; ++part) {
    label.block += (label.block.empty() ? "" : ".") + *part;
  }
  label.norm = std::any_of(path.begin(), path.end(), names_a_norm);
  if (number != path.end() && end != path.end() && !label.norm) label.part = part_name(*end);
  return label;
}

// "0:4096" of the weight "lm_head.weight[0:4096]"; empty for one that is no piece.
std::string rows_of(const std::string& weight) {
  const auto open = weight.rfind('[');
  const auto close = weight.find(']', std::min(open, weight.size()));
  return close == std::string::npos ? "" : weight.substr(open + 1, close - open - 1);
}

// The scope says where a node is; the names of its weights may say it more exactly.
Label label_of(const Graph& graph, const Node& node) {
  Label label = label_of_path(split_path(node.scope));
  for (ValueId id : node.inputs) {
    if (graph.values[id].kind != ValueKind::kWeight) continue;
    auto path = split_path(graph.values[id].name);
    if (path.size() > 1) path.pop_back();
    const Label from_weight = label_of_path(path);
    const bool same = label.block == from_weight.block;
    if (label.block.empty() || (same && label.part.empty())) label = from_weight;
    if (node.is_piece) label.part = rows_of(graph.values[id].name);
  }
  return label;
}

double node_weights(const Graph& graph, const Node& node) {
  double bytes = 0;
  for (ValueId id : node.inputs) {
    if (graph.values[id].kind == ValueKind::kWeight) bytes += graph.values[id].bytes().at({});
  }
  return bytes;
}

using Blocks = std::vector<std::pair<std::string, std::vector<std::string>>>;

void note(Blocks& blocks, const Label& label) {
  if (label.block.empty()) return;
  auto found = std::find_if(blocks.begin(), blocks.end(),
                            [&](const auto& block) { return block.first == label.block; });
  if (found == blocks.end()) found = blocks.insert(blocks.end(), {label.block, {}});
  auto& parts = found->second;
  if (!label.part.empty() && std::find(parts.begin(), parts.end(), label.part) == parts.end()) {
    parts.push_back(label.part);
  }
}

// The blocks and parts that a segment is about: those of its heavy nodes, else of all.
Blocks blocks_of(const Graph& graph, const std::vector<Label>& labels, const Segment& segment) {
  constexpr double kHeavy = 0.05;
  constexpr Step kStep{16, 0};
  double most_flops = 0;
  double most_weights = 0;
  for (NodeId n = segment.first_node; n <= segment.last_node; ++n) {
    most_flops = std::max(most_flops, graph.nodes[n].flops.at(kStep));
    most_weights = std::max(most_weights, node_weights(graph, graph.nodes[n]));
  }
  Blocks heavy;
  Blocks all;
  for (NodeId n = segment.first_node; n <= segment.last_node; ++n) {
    const Node& node = graph.nodes[n];
    const double flops = node.flops.at(kStep);
    const double weights = node_weights(graph, node);
    const bool counts = (flops > 0 && flops >= kHeavy * most_flops) ||
                        (weights > 0 && weights >= kHeavy * most_weights);
    note(all, labels[n]);
    if (counts && !labels[n].norm && !node.step_only) note(heavy, labels[n]);
  }
  return heavy.empty() ? all : heavy;
}

}  // namespace

void name_segments(const Graph& graph, std::vector<Segment>& segments) {
  std::vector<Label> labels;
  std::map<std::string, std::set<std::string>> parts_of_block;
  for (const Node& node : graph.nodes) {
    labels.push_back(label_of(graph, node));
    const Label& label = labels.back();
    if (!label.part.empty()) parts_of_block[label.block].insert(label.part);
  }
  const auto text = [&](const auto& block) {
    const bool partial = block.second.size() == 1 && parts_of_block[block.first].size() > 1;
    return partial ? block.first + " " + block.second.front() : block.first;
  };
  std::map<std::string, int> times;
  for (Segment& segment : segments) {
    const Blocks blocks = blocks_of(graph, labels, segment);
    if (blocks.empty()) {
      segment.name = fmt::format("nodes {}-{}", segment.first_node, segment.last_node);
    } else if (blocks.size() == 1) {
      segment.name = text(blocks.front());
    } else {
      segment.name = text(blocks.front()) + " - " + text(blocks.back());
    }
    // A piece of a half, or of a head that is tied to the embedding.
    const int time = ++times[segment.name];
    if (time == 1) continue;
    const std::vector<std::string>& parts = blocks.front().second;
    if (parts.size() == 1 && contains(parts.front(), ":")) {
      segment.name = "head " + parts.front();
    } else if (&segment == &segments.back()) {
      segment.name = "head";
    } else {
      segment.name = fmt::format("{} ({})", segment.name, time);
    }
  }
}

}  // namespace lingua::internal
