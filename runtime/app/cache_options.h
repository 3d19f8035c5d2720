#pragma once
// What is kept on disk from one run to the next.
//
// Errors: InputError for a folder that was asked for and cannot be used. Where the
// default folder cannot be, the audience is told and nothing is kept.

#include <memory>
#include <optional>
#include <string>

#include "runtime/app/audience.h"
#include "runtime/app/setting.h"
#include "runtime/base/errors.h"
#include "runtime/cache/content_folder.h"
#include "runtime/device/weight_cache.h"
#include "runtime/net/net_device.h"

namespace lingua {

struct CacheOptions {
  std::string folder;  // empty: the user's own
  std::string size = "4 GB";
};

// `what`: it is for, for the help.
void visit_cache(CacheOptions& options, const std::string& what, SettingVisitor& visitor);

// Where an owner's files are; nothing where none are kept.
std::optional<ContentFolder::Options> cache_folder(const CacheOptions& options,
                                                   const std::string& owner);
// The folder cannot be used, because of `error`.
void without_cache(const CacheOptions& options, const InputError& error, const Audience& audience);

// A worker's, of what this coordinator has sent; null where nothing is kept. It starts a process: before threads.
std::unique_ptr<WeightCache> weight_cache(const CacheOptions& options,
                                          const NetWorkerOptions& worker, const Audience& audience);

}  // namespace lingua
