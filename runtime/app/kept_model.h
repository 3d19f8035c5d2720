#pragma once
// The model of a study as earlier runs have read it.

#include <memory>

#include "runtime/app/cache_options.h"
#include "runtime/app/study.h"

namespace lingua {

// Reads as `source`, of the study's model, does; null where nothing is kept. With `digests`, for workers that keep
// weights or give them to each other, these are learned too. REQUIRES: the source outlives it. Errors: as
// cache_options.h.
std::unique_ptr<ModelSource> kept_model(const CacheOptions& options, const Study& study,
                                        ModelSource& source, bool digests);

}  // namespace lingua
