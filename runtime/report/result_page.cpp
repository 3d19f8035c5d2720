#include "runtime/report/result_page.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/report/page_files.h"
#include "runtime/report/statistics.h"

namespace lingua {
namespace {

using Json = nlohmann::json;

std::string html(const std::string& text) {
  std::string result;
  for (const char c : one_line(text)) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += c;
    }
  }
  return result;
}

// Within an element script nothing ends it but "</script", and "<!--" changes what does.
std::string script_json(const Json& json) {
  std::string result;
  for (const char c : escaped_json(json.dump(-1, ' ', false, Json::error_handler_t::replace))) {
    if (c == '<') {
      result += "\\u003c";
    } else {
      result += c;
    }
  }
  return result;
}

Json json_of(const ResultValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return printable(*text);
  const auto* number = std::get_if<double>(&value);
  if (number == nullptr) return nullptr;
  if (std::isfinite(*number)) return *number;
  return std::isnan(*number) ? "nan" : *number > 0 ? "inf" : "-inf";
}

const char* kind_name(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kAxis: return "axis";
    case ColumnKind::kSeed: return "seed";
    case ColumnKind::kResult: break;
  }
  return "result";
}

// Each once: many rows share a plan.
class Pictures {
 public:
  Json add(const std::vector<TitledPicture>& pictures) {
    Json numbers = Json::array();
    for (const TitledPicture& picture : pictures) {
      const auto [at, is_new] = numbers_.try_emplace({picture.title, picture.svg}, all_.size());
      if (is_new) all_.push_back({{"title", printable(picture.title)}, {"svg", picture.svg}});
      numbers.push_back(at->second);
    }
    return numbers;
  }
  Json all() const { return all_; }

 private:
  std::map<std::pair<std::string, std::string>, std::size_t> numbers_;
  Json all_ = Json::array();
};

// Student's t of 95 % for 1, 2, ... degrees; beyond the table the page goes towards the limit.
Json t95() {
  constexpr int kTable = 200;
  constexpr double kNormal = 1.959963984540054;
  Json table = Json::array();
  for (int degrees = 1; degrees <= kTable; ++degrees)
    table.push_back(student_t_quantile(0.975, degrees));
  return {{"table", table}, {"limit", kNormal}};
}

Json rows_json(const ResultTable& table, Pictures& pictures) {
  Json rows = {{"id", Json::array()},
               {"state", Json::array()},
               {"reason", Json::array()},
               {"pictures", Json::array()},
               {"values", Json::array()}};
  for (const ResultRow& row : table.rows) {
    LINGUA_CHECK(row.values.size() == table.columns.size(), "row {} has {} values for {} columns",
                 row.id, row.values.size(), table.columns.size());
    rows["id"].push_back(row.id);
    rows["state"].push_back(one_line(row.state));
    rows["reason"].push_back(one_line(row.reason, 2000));
    rows["pictures"].push_back(pictures.add(row.pictures));
  }
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    Json values = Json::array();
    for (const ResultRow& row : table.rows) values.push_back(json_of(row.values[c]));
    rows["values"].push_back(std::move(values));
  }
  return rows;
}

Json data_of(const ResultTable& table, const PageOptions& options) {
  Pictures pictures;
  Json columns = Json::array();
  for (const ResultColumn& column : table.columns)
    columns.push_back({{"name", one_line(column.name)},
                       {"unit", one_line(column.unit)},
                       {"kind", kind_name(column.kind)}});
  Json sections = Json::array();
  for (const PageSection& section : options.sections)
    sections.push_back({{"title", one_line(section.title)},
                        {"text", printable(section.text)},
                        {"pictures", pictures.add(section.pictures)}});
  Json held = Json::array();
  for (const auto& [name, value] : options.first.held)
    held.push_back({{"name", one_line(name)}, {"value", json_of(value)}});
  const Reproduction& reproduction = table.reproduction;
  std::string rerun = rerun_command(reproduction, 0);
  rerun.pop_back();  // the page puts the number there
  Json data = {{"title", one_line(table.title)},
               {"version", one_line(reproduction.program_version)},
               {"spec", printable(reproduction.spec)},
               {"rerun", printable(rerun)},
               {"first",
                {{"x", one_line(options.first.x)},
                 {"y", one_line(options.first.y)},
                 {"series", one_line(options.first.series)},
                 {"held", held},
                 {"logX", options.logarithmic_x},
                 {"logY", options.logarithmic_y}}},
               {"columns", columns},
               {"rows", rows_json(table, pictures)},
               {"sections", sections},
               {"t95", t95()}};
  data["pictures"] = pictures.all();
  return data;
}

}  // namespace

void write_result_page(std::ostream& out, const ResultTable& table, const PageOptions& options) {
  std::string_view rest = page_file("page.html");
  while (true) {
    const std::size_t open = rest.find("{{");
    out << rest.substr(0, open);
    if (open == std::string_view::npos) return;
    const std::size_t close = rest.find("}}", open);
    const std::string_view name = rest.substr(open + 2, close - open - 2);
    rest.remove_prefix(close + 2);
    if (name == "title") {
      out << html(table.title);
    } else if (name == "data") {
      out << script_json(data_of(table, options));
    } else {
      out << page_file(name);
    }
  }
}

std::string result_page(const ResultTable& table, const PageOptions& options) {
  std::ostringstream out;
  write_result_page(out, table, options);
  return out.str();
}

}  // namespace lingua
