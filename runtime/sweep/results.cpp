#include "runtime/sweep/results.h"

#include <algorithm>

namespace lingua {
namespace {

using nlohmann::json;

class Flattener {
 public:
  explicit Flattener(const std::vector<std::string>& keep) : keep_(keep) {}

  void take(const std::string& name, const json& value) {
    if (value.is_object()) {
      for (const auto& [key, one] : value.items()) take(name.empty() ? key : name + "." + key, one);
    } else if (value.is_array()) {
      if (keep_.empty()) return;
      for (std::size_t i = 0; i < value.size(); ++i) take(name + "." + std::to_string(i), value[i]);
    } else if (keep_.empty() || std::any_of(keep_.begin(), keep_.end(), [&](const auto& kept) {
                 return is_kept_by(kept, name);
               })) {
      flat_[name.empty() ? "result" : name] = value;
    }
  }

  json flat_ = json::object();

 private:
  const std::vector<std::string>& keep_;
};

}  // namespace

bool is_kept_by(const std::string& kept, const std::string& name) {
  return name.starts_with(kept) && (name.size() == kept.size() || name[kept.size()] == '.');
}

json kept_results(const json& result, const std::vector<std::string>& keep) {
  Flattener flattener(keep);
  flattener.take("", result);
  return std::move(flattener.flat_);
}

}  // namespace lingua
