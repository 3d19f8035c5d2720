#pragma once
// What every world needs before it starts: a model, its segments, a cluster, a workload, a plan.
//
// Errors: those of the parts; each names its file and field.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/options.h"
#include "runtime/arrivals/arrivals.h"
#include "runtime/balance/spares.h"
#include "runtime/device/tensor.h"
#include "runtime/partition/partition.h"
#include "runtime/planner/overlap/secondary_plan.h"
#include "runtime/planner/planner.h"
#include "runtime/planner/study/robust.h"
#include "runtime/text/tokenizer.h"
#include "runtime/torch/import.h"

namespace lingua {

struct StudyOptions {
  ModelOptions model;
  PartitionFlags partition;
  WorkloadOptions workload;
  TextOptions text;
  PlanOptions plan;
  OutputOptions output;
  int threads = 0;
};

enum class StudyUse {
  kRun,   // what is planned is run too
  kPlan,  // nothing is run: no answers to count and no messages to note
};
// The settings of all of these.
void visit_study(StudyOptions& options, SettingVisitor& visitor, bool needs_cluster,
                 StudyUse use = StudyUse::kRun);

struct NamedTensor {
  std::string name;  // of the model's input
  std::string file;  // it comes from
  Tensor tensor;
};

struct Study {
  Audience audience;       // of what comes up while it is made and run
  std::string model_name;  // a path, or one that is published
  ImportOptions import;    // of the model
  ImportedModel model;
  std::optional<ImportedModel> int8_model;    // the same in int8, when some segments are to be
  std::set<SegmentId> int8_segments;          // those that are
  std::unique_ptr<ModelSource> mixed_source;  // of both; null when one has all
  std::unique_ptr<Tokenizer> tokenizer;       // null unless text is asked for
  std::vector<std::vector<TokenId>> prompts;  // given as text or tokens; empty: seeded ones
  std::vector<std::string> prompt_texts;      // of the prompts given as text
  std::optional<RequestTrace> trace;          // of --trace; without lengths where it is no file
  bool trace_has_lengths = false;
  std::vector<NamedTensor> inputs;        // from files, in the model's dtypes
  std::int64_t input_tokens = 0;          // new tokens by their shapes; 0: these do not tell
  std::vector<TokenId> stop_tokens;       // that end an answer
  std::vector<std::string> stop_strings;  // and texts that do
  Segmentation segmentation;
  ClusterSpec cluster;
  std::optional<ClusterSpec> cluster_of_file = {};  // where `cluster` is what its devices say
  Workload workload;
  Plan plan;
  std::optional<SecondaryPlan> secondary;  // with --overlap
  std::optional<SparesPlan> spares;        // with --spares
  std::optional<PlanSpread> spread;        // with --robust or --spread

  // Of the weights, by which devices are as fast as their cluster says; segments in int8 beside others count as these.
  DType weight_dtype() const { return import.int8 ? DType::kInt8 : import.dtype; }
  // Of weights and activations: "bf16"; empty for a TorchScript file, which has its own.
  std::string dtype() const {
    return model.family.empty() ? "" : import.dtype == DType::kFloat32 ? "fp32" : "bf16";
  }
  ModelSource* source() const { return mixed_source ? mixed_source.get() : model.source.get(); }
};

// What `cluster` names, drawn by the seed of the workload where it says so; and that cluster.
std::string cluster_name(const StudyOptions& options);
ClusterSpec cluster_of(const StudyOptions& options);
ImportOptions import_options(const ModelOptions& options, Head default_head);
Recompute recompute_of(const PartitionFlags& flags);
Segmentation partition_by(const Graph& graph, const PartitionFlags& flags,
                          const Workload& workload);

// How a study of these would import its model: for a ModelShelf.
ImportOptions import_options(const ModelOptions& options, const PartitionFlags& flags);

// What a study begins with: the model, in both forms when --int8 takes some segments, its head in as many
// pieces as it and the largest segment ask for.
Study open_model(const ModelOptions& options, Head default_head, const PartitionFlags& flags,
                 const Audience& audience);
// Makes a study of one pass of it, whose outputs are written to the file. Errors: UsageError for a
// model that generates, or a file that cannot take them.
void make_single_pass(const std::string& output_file, int requests, Study& study);
// Loads the tokenizer and checks that it fits the model.
void open_tokenizer(const std::string& model, Study& study);
// The clusters of --robust or --spread, drawn by the seed; none without. Errors: UsageError.
std::optional<Variants> variants_of(const StudyOptions& options, const ClusterSpec& cluster);
// What its planner is asked, --robust aside. It refers to the study.
PlanRequest plan_request(const StudyOptions& options, const Study& study);
// Cuts, and takes the segments of --int8, which must not be "fit".
void partition_study(const ModelOptions& options, const PartitionFlags& flags, Study& study);
// What is asked of the plan, as far as options and cluster tell: before a model is read. Errors: UsageError.
void check_plan_options(const StudyOptions& options, const ClusterSpec& cluster);
// Has the study's plan store what --spares asks for, beside what it stores. `request`: it was made for.
void plan_spares(const StudyOptions& options, const PlanRequest& request, Study& study);
// Cuts, plans and checks, for the study's workload on its cluster.
void plan_study(const StudyOptions& options, Study& study);

// All of this, for the prompts and the workload of the options; the plan is for the devices of the cluster that
// are not absent.
Study prepare_study(const StudyOptions& options, const ClusterSpec& cluster,
                    const std::set<DeviceName>& absent, const Audience& audience);

// A source of the same model without its contents: for the simulated world.
std::unique_ptr<ModelSource> shapes_only();

// Errors: InputError when the model has no weights, or cannot be computed with them here.
void require_weights(const ImportedModel& model, const std::string& name);

}  // namespace lingua
