#pragma once
// A device's weight cache on disk, for a process that will be able to open no file: one of its own does it.
//
// That process is given bytes, never names: what it stores has the name that its content has, and what it opens
// lies in the owner's folder. So whatever comes to run in the worker can neither read what others have left nor
// put anything under a name that is not its own. It ends with the object, or when the worker ends.
// A cache that can keep no more says so once, on standard error, and goes on with what it has.
// Threads: as WeightCache; one of its own sends what is to be kept.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/cache/content_folder.h"
#include "runtime/device/weight_cache.h"

namespace lingua {

class CacheProcess : public WeightCache {
 public:
  // Starts it. REQUIRES: no other thread has work under way that a child would need.
  // Errors: InputError when the folder cannot be made; WorldError when no process can be started.
  // `say`: gets a line, without its end, when something cannot be kept, once; in the process, which is a copy of
  // this one.
  explicit CacheProcess(const ContentFolder::Options& options,
                        const std::function<void(const std::string& line)>& say = {});
  // What was to be kept is kept when it returns.
  ~CacheProcess() override;

  std::shared_ptr<std::byte> find(const Digest& digest, std::int64_t bytes) override;
  void keep(std::shared_ptr<const std::byte> data, std::int64_t bytes) override;

 private:
  struct Content {
    std::shared_ptr<const std::byte> data;
    std::int64_t bytes = 0;
  };
  void send_all();

  int asks_ = -1;   // ours, for find()
  int gives_ = -1;  // for keep()
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Content> waiting_;  // guarded by mutex_
  bool ending_ = false;          // guarded by mutex_
  bool gone_ = false;            // guarded by mutex_: the process takes nothing any more
  std::thread sender_;
};

}  // namespace lingua
