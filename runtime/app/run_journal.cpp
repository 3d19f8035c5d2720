#include "runtime/app/run_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kOfWeight = 4 << 10;  // bytes of its beginning, and of its end
constexpr std::int64_t kOfFile = 64 << 10;

RequestName name_of(const Submit& request) { return {kOnlyClient, request.request}; }

// Names, dtypes and shapes, and of each its beginning and end: whoever trains a model changes those.
std::string digest_of_weights(const Study& study) {
  std::map<std::string, const WeightSpec*> weights;
  for (const Segment& segment : study.segmentation.segments) {
    for (const WeightSpec& weight : segment.weights) weights.emplace(weight.name, &weight);
  }
  Hasher hasher;
  std::vector<std::byte> piece;
  for (const auto& [name, weight] : weights) {
    const std::string what =
        fmt::format("{} {} of {} bytes\n", name, dtype_name(weight->dtype), weight->bytes());
    hasher.update(what.data(), what.size());
    const std::int64_t size = std::min(kOfWeight, weight->bytes());
    piece.resize(static_cast<std::size_t>(size));
    for (const std::int64_t from : {std::int64_t{0}, weight->bytes() - size}) {
      study.source()->read(*weight, from, size, piece.data());
      hasher.update(piece.data(), piece.size());
    }
  }
  return hasher.value().text().substr(0, 16);
}

// Of what else decides on a model: config.json, or the beginning and end of a single file, where a GGUF file has
// its settings and a TorchScript file the checksums of its code.
std::string digest_of_settings(const std::string& model) {
  std::error_code ignored;
  if (fs::is_directory(model, ignored)) {
    const fs::path config = fs::path(model) / "config.json";
    return digest_of(fs::exists(config, ignored) ? read_file(config) : "").text().substr(0, 16);
  }
  std::ifstream file(model, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(2 * kOfFile), '\0');
  file.read(bytes.data(), kOfFile);
  file.clear();
  file.seekg(
      -std::min<std::int64_t>(kOfFile, static_cast<std::int64_t>(fs::file_size(model, ignored))),
      std::ios::end);
  file.read(bytes.data() + kOfFile, kOfFile);
  return digest_of(bytes).text().substr(0, 16);
}

JournalFacts facts_of(const Study& study) {
  constexpr const char* kWires[] = {"fp32", "bf16", "int8"};
  std::string dtype = study.dtype();
  if (!study.int8_segments.empty()) dtype += " and int8";
  return {{"the model", study.segmentation.model},
          {"its dtype", dtype},
          {"its settings", digest_of_settings(study.model_name)},
          {"its weights", digest_of_weights(study)},
          {"--wire", kWires[static_cast<std::size_t>(study.workload.communication.wire)]},
          {"--stop", nlohmann::json(study.stop_strings).dump()}};
}

JournalFacts facts_of_generator(const Study& study) {
  if (study.workload.max_tokens > 0) return facts_of(study);
  throw UsageError(
      fmt::format("`journal`: {} makes no tokens, and a pass that is lost is made again whole; "
                  "leave it out",
                  study.segmentation.model));
}

}  // namespace

RunJournal::RunJournal(const std::string& path, const Study& study, std::vector<Submit> requests)
    : requests_(std::move(requests)), file_(path, facts_of_generator(study)) {
  check(path, study);
  for (const Submit& request : requests_) {
    const RequestHistory::Request* known = file_.history().find(name_of(request));
    if (known == nullptr) continue;
    tokens_ += known->tokens.size();
    answered_ += known->ending.has_value();
  }
  if (!file_.left_out().empty()) study.audience.tell("lingua: {}: {}\n", path, file_.left_out());
  if (tokens_ + answered_ == 0) return;
  study.audience.tell("resuming {}: {} of {} requests were answered, {} tokens are there\n", path,
                      answered_, requests_.size(), tokens_);
}

void RunJournal::check(const std::string& path, const Study& study) const {
  for (const Submit& request : requests_) {
    const RequestHistory::Request* known = file_.history().find(name_of(request));
    if (known == nullptr) continue;
    const std::string other = difference(known->content, content_of(request));
    if (!other.empty()) {
      throw InputError(fmt::format(
          "{}: has another request {} than this run: {}; name another file, or ask the same", path,
          request.request, other));
    }
    for (const TokenId token : known->tokens) {
      if (token >= 0 && token < study.model.vocabulary) continue;
      throw InputError(fmt::format("{}: request {} has the token {}; the model has {} from 0", path,
                                   request.request, token, study.model.vocabulary));
    }
  }
}

RunResult RunJournal::answers(const ClientJob& client) const {
  RunResult result;
  for (const Submit& request : requests_) {
    const RequestHistory::Request& known = *file_.history().find(name_of(request));
    Done done{request.request, known.tokens, {}, *known.ending};
    for (std::size_t i = 0; i < done.tokens.size(); ++i) {
      if (client.on_token)
        client.on_token({done.request, static_cast<std::int64_t>(i), done.tokens[i]});
    }
    if (client.on_done) client.on_done(done);
    result.answers.push_back(std::move(done));
  }
  return result;
}

}  // namespace lingua
