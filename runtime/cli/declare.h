#pragma once
// The settings of a request (app/setting.h) as options of a verb.

#include "runtime/app/setting.h"

namespace CLI {
class App;
}

namespace lingua {

// Declares an option for each setting that it takes: `--max-tokens`. REQUIRES: the verb outlives what it visits.
class OptionDeclarer : public SettingVisitor {
 public:
  explicit OptionDeclarer(CLI::App& verb) : verb_(verb) {}
  void take(Setting setting) override;

 private:
  CLI::App& verb_;
};

}  // namespace lingua
