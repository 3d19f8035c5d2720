#include "runtime/checkpoint/json.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/file_kind.h"

namespace lingua {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& origin, int max_depth) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= max_depth) {
        throw InputError(fmt::format("{}: nested deeper than {} levels", origin, max_depth));
      }
      if (event == json::parse_event_t::object_start) keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) {
        throw InputError(fmt::format("{}: {} stands twice", origin, quoted(key)));
      }
    }
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    const FileFacts facts = identify_text(text);
    if (facts.kind == FileKind::kEmpty || facts.kind == FileKind::kHtml ||
        facts.kind == FileKind::kLfsPointer) {
      throw InputError(fmt::format("{}: {}; JSON is needed", origin, facts.words));
    }
    throw InputError(fmt::format("{}: is not valid JSON: {}", origin, quoted(error.what())));
  }
}

std::string quoted(const std::string& text) {
  constexpr std::size_t kShown = 160;
  const bool cut = text.size() > kShown;
  std::string shown =
      json(text.substr(0, kShown)).dump(-1, ' ', true, json::error_handler_t::replace);
  shown.front() = shown.back() = '\'';
  return cut ? shown + "..." : shown;
}

}  // namespace lingua
