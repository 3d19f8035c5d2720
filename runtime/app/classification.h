#pragma once
// Each text of a table gets its label.
//
// Errors: those of the parts; each names its option, file, row and column.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/app/audience.h"
#include "runtime/app/csv_table.h"
#include "runtime/app/real_world.h"
#include "runtime/app/study.h"
#include "runtime/engine/run.h"

namespace lingua {

struct ClassifyRequest {
  StudyOptions study;
  RealOptions real;
  std::string file;
  std::string text_column = "text";
  std::string label_column = "label";
};

// What `classify` takes.
void visit_classification(ClassifyRequest& request, SettingVisitor& visitor);

class Classification {
 public:
  // Does all of it.
  Classification(const ClassifyRequest& request, const Audience& audience);

  const CsvTable& table() const { return table_; }
  const Study& study() const { return study_; }
  const EventLog& log() const { return result_.log; }
  // "rows", "accuracy" or "mean_squared_error" where the table has labels, and what the run measured.
  const nlohmann::json& json() const { return json_; }
  // Those of the run, where that is asked for.
  void write_messages() { real_->write_messages(); }

 private:
  const ClassifyRequest request_;
  const CsvTable table_;
  Study study_;
  std::unique_ptr<RealWorld> real_;
  RunResult result_;
  nlohmann::json json_;
};

}  // namespace lingua
