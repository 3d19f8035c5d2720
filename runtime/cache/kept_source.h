#pragma once
// A model whose weights were read before: those in int8 as they came out of it, for to quantise takes longer
// than to read, and the digests of all.
//
// Weights are as those of the source. Those that are kept have a checksum behind them, which is compared before
// any of them is given. Digests are learned while weights are read from beginning to end, which is what
// sending them does; whoever sends to no device that keeps weights needs none.
// Errors: those of the source. What cannot be kept is not, with one line on standard error for the first.
// Threads: one at a time.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "runtime/base/files.h"
#include "runtime/cache/content_folder.h"
#include "runtime/cache/digest_index.h"
#include "runtime/model/model_source.h"

namespace lingua {

class KeptSource : public ModelSource {
 public:
  // `model`: state_of() what its weights come from. Without an index no digest is known or learned.
  // `say`: gets a line, without its end, when something cannot be kept, once. REQUIRES: the source outlives it.
  KeptSource(ModelSource& source, const Digest& model, ContentFolder folder,
             std::optional<DigestIndex> index,
             std::function<void(const std::string& line)> say = {});
  // Saves what it has learned.
  ~KeptSource() override;

  bool has_data() const override { return source_.has_data(); }
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override;
  std::optional<Digest> digest(const WeightSpec& weight) override;
  std::string program(const Segment& segment) override { return source_.program(segment); }

 private:
  class File;
  // How far a weight has been read, in order; a second reader of it is behind or beside.
  struct Progress {
    std::int64_t bytes = 0;
    std::unique_ptr<Hasher> hasher;
    std::unique_ptr<Checksum> checksum;
    std::unique_ptr<ContentWriter> writer;
  };

  // A weight that was looked for.
  struct Kept {
    bool is_there = false;
    std::unique_ptr<File> file;  // while it is read
  };

  const File* kept(const WeightSpec& weight);
  void begin(const WeightSpec& weight, Progress& progress);
  void note(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            const std::byte* data);
  template <class Work>
  bool attempt(const Work& work);

  ModelSource& source_;
  const Digest model_;
  ContentFolder folder_;
  std::optional<DigestIndex> index_;
  std::function<void(const std::string& line)> say_;
  std::map<std::string, Progress> progress_;  // by weight
  std::map<std::string, Kept> kept_;
  bool told_ = false;
};

}  // namespace lingua
