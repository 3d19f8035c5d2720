#include "runtime/http/client.h"

#include <fmt/format.h>
#include <httplib.h>

#include <csignal>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;  // of a line, or of an error
constexpr int kPatienceS = 600;              // for the next piece: prompts may be long

struct Place {
  std::string host;
  int port = 80;
};

Place place_of(const std::string& url) {
  const auto refuse = [&](const char* why) {
    throw UsageError(
        fmt::format("`connect` '{}': {}; write http://HOST:PORT", one_line(url, 100), why));
  };
  const std::string scheme = "http://";
  if (!url.starts_with(scheme)) refuse("it is no http:// address");
  std::string rest = url.substr(scheme.size());
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.ends_with("/v1")) rest.resize(rest.size() - 3);
  if (rest.find('/') != std::string::npos) refuse("it has a path");
  Place place;
  const auto colon = rest.rfind(':');
  if (colon != std::string::npos && !rest.ends_with(']')) {
    const std::string port = rest.substr(colon + 1);
    const bool is_number = !port.empty() && port.size() <= 5 &&
                           port.find_first_not_of("0123456789") == std::string::npos;
    place.port = is_number ? std::stoi(port) : 0;
    if (place.port < 1 || place.port > 65535) refuse("it has no port");
    rest.resize(colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) refuse("it has no host");
  place.host = rest;
  return place;
}

// Server-sent events, as their bytes come.
class EventReader {
 public:
  EventReader(std::string where, const std::function<void(const ApiPiece&)>& on_piece)
      : where_(std::move(where)), on_piece_(on_piece) {}

  void take(const char* bytes, std::size_t size) {
    held_.append(bytes, size);
    std::size_t begin = 0;
    for (auto end = held_.find('\n'); end != std::string::npos; end = held_.find('\n', begin)) {
      take_line(held_.substr(begin, end - begin));
      begin = end + 1;
    }
    held_.erase(0, begin);
    if (held_.size() > kMostBytes)
      throw WorldError(fmt::format("{}: answers with a line that does not end", where_));
  }
  bool done() const { return done_; }

 private:
  void take_line(std::string line) {
    if (line.ends_with('\r')) line.pop_back();
    constexpr const char* kData = "data:";
    if (!line.starts_with(kData)) return;
    line.erase(0, line.find_first_not_of(' ', 5));
    done_ = done_ || line == "[DONE]";
    if (done_) return;
    for (const ApiPiece& piece : read_pieces(line, where_)) on_piece_(piece);
  }

  const std::string where_;
  const std::function<void(const ApiPiece&)>& on_piece_;
  std::string held_;
  bool done_ = false;
};

}  // namespace

class ApiClient::Impl {
 public:
  Impl(const std::string& url, const std::string& api_key)
      : where(one_line(url, 100)), place(place_of(url)), client(place.host, place.port) {
    std::signal(SIGPIPE, SIG_IGN);  // a service that goes is told by what is read
    client.set_read_timeout(kPatienceS);
    if (!api_key.empty()) client.set_bearer_token_auth(api_key.c_str());
  }

  WorldError lost(httplib::Error error) const {
    return WorldError(fmt::format("{}: {} ({})", where,
                                  error == httplib::Error::Connection
                                      ? "nobody listens there; start lingua serve first"
                                      : "the connection broke",
                                  httplib::to_string(error)));
  }

  const std::string where;
  const Place place;
  httplib::Client client;
};

ApiClient::ApiClient(const std::string& url, const std::string& api_key)
    : impl_(std::make_unique<Impl>(url, api_key)) {}

ApiClient::~ApiClient() = default;

std::string ApiClient::model() {
  const auto result = impl_->client.Get("/v1/models");
  if (!result) throw impl_->lost(result.error());
  if (result->status != 200)
    throw WorldError(fmt::format("{}: {}", impl_->where, read_error(result->body)));
  const nlohmann::json json = nlohmann::json::parse(result->body, nullptr, false);
  try {
    return json.at("data").at(0).at("id").get<std::string>();
  } catch (const nlohmann::json::exception&) {
    throw WorldError(fmt::format("{}: answers with what is no list of models", impl_->where));
  }
}

std::optional<std::string> ApiClient::ask(const std::string& path, nlohmann::json body,
                                          const std::function<void(const ApiPiece&)>& on_piece,
                                          const std::string& code) {
  body["stream"] = true;
  EventReader reader(impl_->where, on_piece);
  std::exception_ptr error;
  std::string refusal;
  int status = 0;
  httplib::Request request;
  request.method = "POST";
  request.path = path;
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  request.response_handler = [&](const httplib::Response& response) {
    status = response.status;
    return true;
  };
  request.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t,
                                 std::uint64_t) {
    try {
      if (status == 200) {
        reader.take(bytes, size);
      } else if (refusal.size() < kMostBytes) {
        refusal.append(bytes, size);
      }
    } catch (const std::exception&) {
      error = std::current_exception();
    }
    return error == nullptr;
  };
  const auto result = impl_->client.send(request);
  if (error) std::rethrow_exception(error);
  if (!result) throw impl_->lost(result.error());
  if (status == 200 && reader.done()) return std::nullopt;
  if (status == 200) throw WorldError(fmt::format("{}: the answer broke off", impl_->where));
  const nlohmann::json json = nlohmann::json::parse(refusal, nullptr, false);
  const bool is_expected = !code.empty() && json.is_object() && json.contains("error") &&
                           json["error"].is_object() &&
                           json["error"].value("code", nlohmann::json()) == code;
  if (is_expected) return read_error(refusal);
  throw WorldError(fmt::format("{}: {}", impl_->where, read_error(refusal)));
}

}  // namespace lingua
