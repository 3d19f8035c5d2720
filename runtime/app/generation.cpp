#include "runtime/app/generation.h"

#include <algorithm>
#include <utility>

#include "runtime/app/requests.h"
#include "runtime/app/supply_of.h"
#include "runtime/base/errors.h"

namespace lingua {

void visit_generation(GenerationRequest& request, SettingVisitor& visitor) {
  visit_study(request.study, visitor, false);
  visit_real(request.real, visitor);
  visit_supply(request.supply, visitor);
  visitor.take(
      Setting("journal", &request.journal,
              "requests and tokens are noted in this file as they come; the same command goes on "
              "from there when its run was lost")
          .called(kOutputFile));
  visitor.take({"compare", &request.compare,
                "show what was planned beside what the run measured: requests, devices, links"});
}

Generation::Generation(const GenerationRequest& request, const Audience& audience)
    : request_(request) {
  const StudyOptions& options = request.study;
  const ClusterSpec cluster = real_cluster(request.real, cluster_name(options));
  RealOptions real_options = request.real;
  if (!request.supply.empty() && !request.real.pace) {
    throw UsageError(
        "`supply`: workers that are not paced give what they give; write it with `pace`");
  }
  real_options.supply = supply_of(request.supply, cluster, options.workload.seed);
  start_workers_ahead(cluster, real_options);
  study_ = prepare_study(options, cluster, {}, audience);
  require_weights(study_.model, options.model.model);
  std::vector<Submit> requests =
      make_requests(options.workload, options.text.sampling, study_, true);
  for (const Submit& one : requests)
    all_ += static_cast<double>(std::max<std::int64_t>(one.max_tokens, 1));
  if (!request.journal.empty()) journal_.emplace(request.journal, study_, requests);
  submit_by(study_, std::move(requests), job_);
  live_ = real_options.live = std::make_shared<LiveView>();
  real_ = std::make_unique<RealWorld>(std::move(real_options), options, study_);
}

RunResult Generation::run() {
  if (journal_ && journal_->has_all()) return journal_->answers(job_);
  return real_->run(job_, journal_ ? &journal_->file() : nullptr);
}

nlohmann::json Generation::extra() const {
  nlohmann::json extra = real_->extra();
  if (journal_) extra["resumed"] = journal_->resumed();
  return extra;
}

}  // namespace lingua
