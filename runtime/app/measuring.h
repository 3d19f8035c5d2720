#pragma once
// Measures the devices that join and the links between them, for a cluster file.
//
// Errors: UsageError for devices that cannot be, WorldError for one that does not come, is lost or answers nonsense,
// InputError for a file that cannot be written: then nothing of it is there. No local process is left.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/real_options.h"
#include "runtime/measure/measurement.h"

namespace lingua {

struct MeasureRequest {
  std::string devices;  // names with commas; empty with `real.local`
  std::string out;      // the cluster file; empty: none
  RealOptions real;     // of which it takes how workers come
  bool quick = false;
  bool json = false;
};
void visit_measuring(MeasureRequest& request, SettingVisitor& visitor);

struct Measured {
  std::string name;  // of the cluster
  std::string file;  // its text, which load_cluster() takes
  Measurement figures;
};
// Waits for the workers, measures, writes the file and sends the workers home.
Measured measure(const MeasureRequest& request, const Audience& audience);

// All figures, with spreads.
nlohmann::json measured_json(const Measured& measured);
// For people: a table of devices and one of links.
std::string measured_text(const Measured& measured);

}  // namespace lingua
