#include "runtime/torch/quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/torch/kernels/rows.h"
#include "runtime/torch/weight_reader.h"

namespace lingua {
namespace {

constexpr const char* kSuffix = ":int8";
constexpr std::int64_t kScaleBytes = sizeof(float);
constexpr std::int64_t kPieceElements = 1 << 20;   // quantised at once
constexpr std::int64_t kThreadElements = 1 << 18;  // fewer are not worth a thread

bool is_int8_name(const std::string& name) { return name.ends_with(kSuffix); }

class Int8Reader : public WeightReader {
 public:
  Int8Reader(std::unique_ptr<WeightReader> plain, const std::vector<WeightSpec>& weights,
             std::string origin)
      : plain_(std::move(plain)), origin_(std::move(origin)) {
    for (const WeightSpec& weight : weights) {
      if (auto matrix = matrix_of_int8(weight)) matrices_[weight.name] = *std::move(matrix);
    }
  }

  void read(const std::string& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    const auto found = matrices_.find(weight);
    if (found == matrices_.end()) return plain_->read(weight, offset, bytes, out);
    const std::int64_t row_bytes = found->second.shape[1] + kScaleBytes;
    const std::int64_t most = std::max<std::int64_t>(1, kPieceElements / found->second.shape[1]);
    const std::int64_t end = offset + bytes;
    std::vector<std::byte> rows;
    while (offset < end) {
      const std::int64_t first = offset / row_bytes;
      const std::int64_t count = std::min(most, (end + row_bytes - 1) / row_bytes - first);
      quantise(found->second, first, count, &rows);
      const std::int64_t skipped = offset - first * row_bytes;
      const std::int64_t size = std::min(count * row_bytes - skipped, end - offset);
      std::memcpy(out, rows.data() + skipped, static_cast<std::size_t>(size));
      out += size;
      offset += size;
    }
  }

 private:
  void quantise(const WeightSpec& matrix, std::int64_t first, std::int64_t count,
                std::vector<std::byte>* rows) {
    const std::int64_t width = matrix.shape[1];
    values_.resize(static_cast<std::size_t>(count * width));
    rows->resize(static_cast<std::size_t>(count * (width + kScaleBytes)));
    plain_->read(matrix.name, first * width * 4, count * width * 4,
                 reinterpret_cast<std::byte*>(values_.data()));
    std::atomic<std::int64_t> refused{count};  // the first row that is
    by_threads(count, width, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        if (quantise_row(values_.data() + r * width, width,
                         rows->data() + r * (width + kScaleBytes))) {
          continue;
        }
        std::int64_t other = refused;
        while (r < other && !refused.compare_exchange_weak(other, r)) continue;
        return;
      }
    });
    if (refused == count) return;
    throw InputError(
        fmt::format("{}: tensor '{}' has a NaN or an infinity in row {}: int8 holds finite "
                    "numbers only; run the model without int8",
                    origin_, matrix.name, first + refused));
  }

  // Calls visit(begin, end) for parts of `count` rows, on threads where there is enough to do.
  template <class Visit>
  static void by_threads(std::int64_t count, std::int64_t width, const Visit& visit) {
    const std::int64_t parts = std::clamp<std::int64_t>(
        count * width / kThreadElements, 1, std::max(1U, std::thread::hardware_concurrency()));
    std::vector<std::jthread> others;  // joined at the end
    for (std::int64_t i = 1; i < parts; ++i) {
      others.emplace_back([&, i] { visit(count * i / parts, count * (i + 1) / parts); });
    }
    visit(0, count / parts);
  }

  std::unique_ptr<WeightReader> plain_;
  std::string origin_;
  std::map<std::string, WeightSpec> matrices_;  // by the name that is held
  std::vector<float> values_;
};

class MixedSource : public ModelSource {
 public:
  MixedSource(ModelSource& plain, ModelSource& int8, std::set<SegmentId> chosen)
      : plain_(plain), int8_(int8), chosen_(std::move(chosen)) {}

  bool has_data() const override { return plain_.has_data() && int8_.has_data(); }

  void read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
            std::byte* out) override {
    (is_int8_name(weight.name) ? int8_ : plain_).read(weight, offset, bytes, out);
  }

  std::optional<Digest> digest(const WeightSpec& weight) override {
    return (is_int8_name(weight.name) ? int8_ : plain_).digest(weight);
  }

  std::string program(const Segment& segment) override {
    return (chosen_.count(segment.id) != 0 ? int8_ : plain_).program(segment);
  }

 private:
  ModelSource& plain_;
  ModelSource& int8_;
  const std::set<SegmentId> chosen_;
};

}  // namespace

WeightSpec int8_weight(const WeightSpec& matrix) {
  LINGUA_CHECK(matrix.shape.size() == 2, "{} is no matrix", matrix.name);
  return {matrix.name + kSuffix, DType::kInt8, {matrix.shape[0], matrix.shape[1] + kScaleBytes}};
}

std::optional<WeightSpec> matrix_of_int8(const WeightSpec& weight) {
  if (!is_int8_name(weight.name)) return std::nullopt;
  return WeightSpec{weight.name.substr(0, weight.name.size() - std::strlen(kSuffix)),
                    DType::kFloat32,
                    {weight.shape.at(0), weight.shape.at(1) - kScaleBytes}};
}

std::unique_ptr<WeightReader> make_int8_reader(std::unique_ptr<WeightReader> plain,
                                               const std::vector<WeightSpec>& weights,
                                               const std::string& origin) {
  return std::make_unique<Int8Reader>(std::move(plain), weights, origin);
}

Segmentation mix_segments(const Segmentation& plain, const Segmentation& int8,
                          const std::set<SegmentId>& chosen) {
  LINGUA_CHECK(plain.segments.size() == int8.segments.size(), "{} and {} segments",
               plain.segments.size(), int8.segments.size());
  Segmentation mixed = plain;
  for (const SegmentId id : chosen) {
    const Segment& from = int8.segments.at(static_cast<std::size_t>(id));
    Segment& to = mixed.segments.at(static_cast<std::size_t>(id));
    LINGUA_CHECK(from.first_node == to.first_node && from.last_node == to.last_node,
                 "segment {} is cut at other nodes in int8", id);
    to = from;
  }
  return mixed;
}

std::unique_ptr<ModelSource> make_mixed_source(ModelSource& plain, ModelSource& int8,
                                               const std::set<SegmentId>& chosen) {
  return std::make_unique<MixedSource>(plain, int8, chosen);
}

}  // namespace lingua
