#pragma once
// What every world needs before it starts: a model, its segments, a cluster, a workload, a plan.
//
// Errors: those of the parts; each names its file and field.

#include <string>
#include <vector>

#include "runtime/cli/options.h"
#include "runtime/device/message.h"
#include "runtime/engine/coordinator.h"
#include "runtime/partition/partition.h"
#include "runtime/plan/plan.h"
#include "runtime/torch/import.h"

namespace lingua {

struct StudyOptions {
  ModelOptions model;
  PartitionFlags partition;
  WorkloadOptions workload;
  PlanOptions plan;
  OutputOptions output;
  int threads = 0;
};

// Declares all of the options above.
void add_study_options(CLI::App& app, StudyOptions& options, bool cluster_required);

struct Study {
  ImportedModel model;
  Segmentation segmentation;
  ClusterSpec cluster;
  Workload workload;
  Plan plan;
};

ImportedModel import_by(const ModelOptions& options, Head default_head);
Segmentation partition_by(const Graph& graph, const PartitionFlags& flags,
                          const Workload& workload);
Workload workload_by(const WorkloadOptions& options, const ImportedModel& model);

// Imports, cuts, plans and checks.
Study prepare_study(const StudyOptions& options, const ClusterSpec& cluster);

// The requests of the workload: given or seeded prompts, or seeded inputs of a single pass.
// `with_data` false leaves the contents of a single pass's inputs out.
std::vector<Submit> make_requests(const WorkloadOptions& options, const Study& study,
                                  bool with_data);

// A source of the same model without its contents: for the simulated world.
std::unique_ptr<ModelSource> shapes_only();

// Errors: InputError when the model has no weights.
void require_weights(const ImportedModel& model, const std::string& name);

}  // namespace lingua
