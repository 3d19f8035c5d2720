#include "runtime/app/serving.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "runtime/app/live_view.h"
#include "runtime/app/requests.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/signals.h"
#include "runtime/http/service.h"
#include "runtime/net/net_device.h"

namespace lingua {
namespace {

// "HOST:PORT", "[HOST]:PORT" or "PORT".
HttpOptions http_options(const ServeRequest& options) {
  const auto refuse = [&](const char* why) {
    throw UsageError(fmt::format("`http` '{}': {}; write HOST:PORT, as 127.0.0.1:8080",
                                 one_line(options.http), why));
  };
  HttpOptions http;
  const auto colon = options.http.rfind(':');
  std::string port = colon == std::string::npos ? options.http : options.http.substr(colon + 1);
  if (colon != std::string::npos) http.host = options.http.substr(0, colon);
  if (http.host.starts_with('[') && http.host.ends_with(']'))
    http.host = http.host.substr(1, http.host.size() - 2);
  if (http.host == "*") http.host = "0.0.0.0";
  if (http.host.empty()) refuse("it has no host");
  const bool is_number =
      !port.empty() && port.size() <= 5 &&
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  http.port = is_number ? std::stoi(port) : 0;
  if (port != "*" && (!is_number || http.port < 1 || http.port > 65535)) refuse("it has no port");
  if (!options.api_key_file.empty()) {
    const std::string text = read_file(options.api_key_file);
    http.api_key = text.substr(0, text.find_first_of("\r\n"));
    if (http.api_key.size() < 8) {
      throw InputError(fmt::format("{}: its first line is the API key, of at least 8 characters",
                                   options.api_key_file));
    }
  }
  const bool is_loopback =
      http.host == "localhost" || http.host == "::1" || http.host.starts_with("127.");
  if (!is_loopback && http.api_key.empty()) {
    throw UsageError(
        fmt::format("`http` {}: whoever reaches it could ask; give `api-key-file`, or listen on "
                    "127.0.0.1",
                    options.http));
  }
  return http;
}

ServedModel served_model(const ServeRequest& options, const Talk& talk) {
  const Study& study = talk.study;
  ServedModel model;
  model.id = options.name;
  if (model.id.empty()) model.id = study.segmentation.model;
  model.tokenizer = study.tokenizer.get();
  model.form = talk.form;
  model.stop_strings = study.stop_strings;
  model.context = talk.context;
  model.vocabulary = study.model.vocabulary;
  model.max_tokens = options.talk.study.workload.max_tokens;
  model.sampling = options.talk.study.text.sampling;
  model.sampling.seed = options.talk.study.workload.seed;
  model.make_request = [&study](RequestId id, const std::vector<TokenId>& prompt,
                                std::int64_t max_tokens, const Sampling& sampling) {
    return make_request(id, prompt, max_tokens, sampling, study);
  };
  return model;
}

}  // namespace

void visit_serving(ServeRequest& request, SettingVisitor& visitor) {
  StudyOptions& study = request.talk.study;
  visit_talk(request.talk, visitor);
  visit_longest_answer(study.workload.max_tokens, "the longest answer of a chat that does not say",
                       visitor);
  visit_in_flight(study.workload, visitor);
  visit_scheduling(study.workload.scheduling, visitor);
  visit_communication(study.workload.communication, visitor);
  visitor.take({"http", &request.http, "where it listens: HOST:PORT (* for any)"});
  visitor.take(Setting("api-key-file", &request.api_key_file,
                       "file whose first line clients have to give as their API key")
                   .called(kInputPath));
  visitor.take(
      {"served-name", &request.name, "the model's name in the API (default: that of its file)"});
  visit_messages(study.output.messages, visitor);
}

void serve(const ServeRequest& options, const Audience& audience) {
  HttpOptions http = http_options(options);
  RealOptions real = options.talk.real;
  real.live = std::make_shared<LiveView>();
  http.metrics = [live = real.live] { return live->metrics(); };
  Talk talk = open_talk(options.talk, audience);
  HttpService service(http, served_model(options, talk));
  bool has_served = false;
  const Plan plan_of_all = talk.study.plan;
  while (true) {
    talk.study.plan = plan_of_all;  // a world may have planned for those that were there
    try {
      RealWorld world(real, options.talk.study, talk.study);
      world.serve(
          [&](NetCoordinator& coordinator) {
            service.begin_serving(
                [&](const DeviceName& name) { return world.open_client(coordinator, name); });
            audience.tell("serving at {}/v1\n", service.url());
            has_served = true;
          },
          [&](NetCoordinator& coordinator) {
            service.end_serving([&] { coordinator.stop_clients(); });
          });
    } catch (const WorldError& error) {
      if (!has_served || ending_signal() != 0) throw;
      audience.tell("lingua serve: {}; waiting for all workers again\n", one_line(error.what()));
    }
  }
}

}  // namespace lingua
