#include "runtime/cache/read_ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const WeightSpec kLarge{"large", DType::kFloat32, {5, 200001}};  // four pieces
const WeightSpec kOther{"other", DType::kFloat32, {5, 200001}};

// Says when two read at once, and what it is asked for.
class WatchedSource : public testing::ToySource {
 public:
  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    EXPECT_EQ(readers.fetch_add(1), 0) << "a source is read by one at a time";
    EXPECT_LE(offset + bytes, weight.bytes());
    EXPECT_EQ(offset % 4, 0);
    read_bytes += bytes;
    if (offset <= broken_at && broken_at < offset + bytes) {
      --readers;
      throw InputError("the file ends here");
    }
    ToySource::read(weight, offset, bytes, out);
    --readers;
  }
  std::atomic<int> readers{0};
  std::atomic<std::int64_t> read_bytes{0};
  std::int64_t broken_at = -1;
};

std::vector<std::byte> all_of(ModelSource& source, const WeightSpec& weight, std::int64_t piece) {
  std::vector<std::byte> all(static_cast<std::size_t>(weight.bytes()));
  for (std::int64_t at = 0; at < weight.bytes(); at += piece)
    source.read(weight, at, std::min(piece, weight.bytes() - at), all.data() + at);
  return all;
}

std::vector<std::byte> plain(const WeightSpec& weight) {
  testing::ToySource source;
  return all_of(source, weight, weight.bytes());
}

TEST(ReadAhead, GivesWhatTheSourceGivesAndReadsItOnce) {
  WatchedSource source;
  ReadAhead ahead(source);
  std::int64_t reads = 0;
  for (const std::int64_t piece : {4L, 65536L, 1L << 20, 3L << 20, 5L << 20}) {
    EXPECT_EQ(all_of(ahead, kLarge, piece), plain(kLarge)) << piece;
    EXPECT_EQ(source.read_bytes, ++reads * kLarge.bytes());
  }
}

TEST(ReadAhead, ServesSeveralReadersOfOneWeightAndOfOthers) {
  WatchedSource source;
  ReadAhead ahead(source);
  std::vector<std::byte> first(static_cast<std::size_t>(kLarge.bytes()));
  std::vector<std::byte> second = first;
  std::vector<std::byte> other = first;
  const std::int64_t piece = 65536;
  for (std::int64_t at = 0; at < kLarge.bytes(); at += piece) {
    const std::int64_t size = std::min(piece, kLarge.bytes() - at);
    ahead.read(kLarge, at, size, first.data() + at);
    ahead.read(kOther, at, size, other.data() + at);
    ahead.read(kLarge, at, size, second.data() + at);  // the same again: it is behind
  }
  EXPECT_EQ(first, plain(kLarge));
  EXPECT_EQ(second, first);
  EXPECT_EQ(other, plain(kOther));
}

TEST(ReadAhead, FailsWhereItIsAskedForWhatCannotBeRead) {
  WatchedSource source;
  source.broken_at = 3 << 19;  // in the second piece
  ReadAhead ahead(source);
  std::vector<std::byte> out(1 << 20);
  ahead.read(kLarge, 0, 1 << 19, out.data());
  ahead.read(kLarge, 1 << 19, 1 << 19, out.data());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT([&] { ahead.read(kLarge, 1 << 20, 4, out.data()); },
                ThrowsMessage<InputError>(HasSubstr("the file ends here")));
  }
}

TEST(ReadAhead, EndsWhileItReads) {
  WatchedSource source;
  ReadAhead ahead(source);
  std::byte out[4];
  ahead.read(kLarge, 0, 4, out);
  ahead.read(kOther, 0, 4, out);
}

}  // namespace
}  // namespace lingua
