#include "runtime/http/service.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/http/counters.h"

namespace lingua {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;  // of a body
constexpr std::size_t kMostConnections = 4000;
constexpr int kBacklog = 1024;
constexpr int kIdleS = 5;          // that a connection may say nothing
constexpr Seconds kPatience{0.2};  // until a client that has hung up is looked for
constexpr const char* kJson = "application/json";

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A thread for each connection while it is open: one that idles keeps none from being answered.
class Connections : public httplib::TaskQueue {
 public:
  explicit Connections(std::atomic<int>& open) : open_(open) {}
  ~Connections() override { shutdown(); }

  using Taken = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));
  Taken enqueue(std::function<void()> serve) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ < kMostConnections; });
    ++running_;
    ++open_;
    std::thread([this, serve = std::move(serve)] {
      serve();
      const std::lock_guard leaving(mutex_);
      --running_;
      --open_;
      changed_.notify_all();
    }).detach();
    return static_cast<Taken>(true);  // which is void in older versions
  }
  void shutdown() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  std::atomic<int>& open_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_ = 0;  // guarded by mutex_
};

// One descriptor for each connection.
void allow_many_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * kMostConnections);
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

class HttpService::Impl {
 public:
  Impl(const HttpOptions& options, ServedModel model)
      : options_(options), model_(std::move(model)), begun_(std::time(nullptr)) {
    allow_many_descriptors();
    server_.new_task_queue = [this] { return new Connections(connections_); };
    server_.set_payload_max_length(kMostBytes);
    server_.set_read_timeout(kIdleS);
    server_.set_keep_alive_timeout(kIdleS);
    server_.set_keep_alive_max_count(100000);
    server_.set_write_timeout(30);
    server_.set_tcp_nodelay(true);
    add_routes();
    listen();
  }
  ~Impl() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  std::string url() const {
    const bool is_v6 = options_.host.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(is_v6 ? "http://[{}]:{}" : "http://{}:{}"), options_.host,
                       port_);
  }

  void begin_serving(OpenClient open) {
    const std::lock_guard lock(mutex_);
    open_ = std::move(open);
  }
  void end_serving(const std::function<void()>& stop) {
    std::unique_lock lock(mutex_);
    open_ = nullptr;
    lock.unlock();
    stop();
    lock.lock();
    idle_.wait(lock, [this] { return answering_ == 0; });
  }

 private:
  // An answer under way, while its mailbox may be used.
  class Turn {
   public:
    Turn(Impl& service, const ApiRequest& request)
        : service_(service), request_(request), prompts_(prompts_of(request, service.model_)) {
      const std::lock_guard lock(service.mutex_);
      if (!service.open_)
        throw ApiError(503, "the devices are not ready; try again", "", "unavailable");
      number_ = service.next_++;
      answering_.emplace(service.model_, request, prompts_,
                         service.open_(fmt::format("{}http-{}", kClientPrefix, number_)));
      ++service.answering_;
      service.counters_.began();
      answer_ = {request.chat, fmt::format("{}-{}", request.chat ? "chatcmpl" : "cmpl", number_),
                 service.model_.id, static_cast<std::int64_t>(std::time(nullptr))};
    }
    ~Turn() {
      const ApiUsage usage = answering_->usage();
      const char* how = answered_                             ? "answered"
                        : !answering_->failure()              ? "cancelled"
                        : answering_->failure()->status < 500 ? "refused"
                                                              : "failed";
      if (answered_ && usage.completion_tokens > 1) {
        service_.counters_.time_per_token((last_ - first_) /
                                          static_cast<double>(usage.completion_tokens - 1));
      }
      answering_.reset();
      service_.counters_.ended(how, usage.prompt_tokens, usage.completion_tokens);
      const std::lock_guard lock(service_.mutex_);
      --service_.answering_;
      service_.idle_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // Waits a little; true while there may be more.
    bool wait() {
      const bool goes_on = answering_->turn(kPatience);
      last_ = now();
      if (first_.count() == 0 && answering_->has_begun()) {
        first_ = last_;
        service_.counters_.first_token(first_ - start_);
      }
      answered_ = !goes_on && !answering_->failure();
      return goes_on;
    }
    Answering& answering() { return *answering_; }
    const ApiAnswer& answer() const { return answer_; }
    const ApiRequest& request() const { return request_; }
    std::size_t choices() const { return prompts_.ids.size(); }

   private:
    static Seconds now() { return std::chrono::steady_clock::now().time_since_epoch(); }

    Impl& service_;
    const ApiRequest request_;
    const Prompts prompts_;
    std::int64_t number_ = 0;
    std::optional<Answering> answering_;
    ApiAnswer answer_;
    const Seconds start_ = now();
    Seconds first_{0};
    Seconds last_{0};
    bool answered_ = false;
  };

  void add_routes() {
    using httplib::Request;
    using httplib::Response;
    const auto route = [this](auto serve) {
      return [this, serve](const Request& request, Response& response) {
        try {
          check_key(request);
          serve(request, response);
        } catch (const ApiError& error) {
          refuse(response, error);
        } catch (const std::exception& error) {
          refuse(response, ApiError(500, error.what()));
        }
      };
    };
    server_.Get("/health", [this](const Request&, Response& response) {
      const bool ready = is_ready();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? R"({"status":"ok"})" : R"({"status":"not ready"})", kJson);
    });
    server_.Get("/metrics", route([this](const Request&, Response& response) {
                  std::string text = counters_.text(is_ready(), connections_);
                  if (options_.metrics) text += options_.metrics();
                  response.set_content(text, "text/plain; version=0.0.4");
                }));
    server_.Get("/v1/models", route([this](const Request&, Response& response) {
                  response.set_content(dump(models_json(model_.id, begun_)), kJson);
                }));
    server_.Get(R"(/v1/models/(.+))", route([this](const Request& request, Response& response) {
                  check_model(request.matches[1].str());
                  response.set_content(dump(models_json(model_.id, begun_)["data"][0]), kJson);
                }));
    server_.Post("/v1/completions", route([this](const Request& request, Response& response) {
                   answer(request, response, false);
                 }));
    server_.Post("/v1/chat/completions", route([this](const Request& request, Response& response) {
                   answer(request, response, true);
                 }));
    server_.set_error_handler([this](const Request& request, Response& response) {
      if (!response.body.empty()) return;
      const std::string what =
          response.status == 404   ? fmt::format("there is no {} {}", request.method, request.path)
          : response.status == 413 ? fmt::format("a body has at most {} bytes", kMostBytes)
                                   : "this is no request that is understood";
      refuse(response, ApiError(response.status, what));
    });
  }

  static void refuse(httplib::Response& response, const ApiError& error) {
    response.status = error.status;
    if (error.status == 503) response.set_header("Retry-After", "2");
    response.set_content(dump(error_json(error)), kJson);
  }

  void check_key(const httplib::Request& request) const {
    if (options_.api_key.empty()) return;
    const std::string given = request.get_header_value("Authorization");
    const std::string wanted = "Bearer " + options_.api_key;
    unsigned char difference = given.size() == wanted.size() ? 0 : 1;  // in the same time for all
    for (std::size_t i = 0; i < std::min(given.size(), wanted.size()); ++i)
      difference |= static_cast<unsigned char>(given[i] ^ wanted[i]);
    if (difference != 0) throw ApiError(401, "this API key is not the service's");
  }

  void check_model(const std::string& name) const {
    if (name.empty() || name == model_.id) return;
    throw ApiError(
        404,
        fmt::format("the model '{}' is not served here; '{}' is", one_line(name, 100), model_.id),
        "model", "model_not_found");
  }

  bool is_ready() {
    const std::lock_guard lock(mutex_);
    return open_ != nullptr;
  }

  void answer(const httplib::Request& http, httplib::Response& response, bool chat) {
    const ApiRequest request = parse_api_request(http.body, chat, model_.sampling);
    check_model(request.model);
    const auto turn = std::make_shared<Turn>(*this, request);
    // What goes wrong before the first token has a status of its own.
    bool goes_on = true;
    while (goes_on && !turn->answering().has_begun()) goes_on = turn->wait();
    if (const auto& failure = turn->answering().failure()) throw ApiError(*failure);
    if (request.stream) {
      stream(response, turn, goes_on);
    } else {
      whole(response, turn, goes_on);
    }
  }

  void whole(httplib::Response& response, std::shared_ptr<Turn> turn, bool goes_on) {
    auto choices = std::make_shared<std::vector<ApiChoice>>(turn->choices());
    response.set_chunked_content_provider(kJson, [turn = std::move(turn), choices, goes_on](
                                                     std::size_t, httplib::DataSink& sink) mutable {
      collect(turn->answering().pieces(), *choices);
      if (goes_on) {
        goes_on = turn->wait();
        return sink.is_writable();
      }
      const auto& failure = turn->answering().failure();
      const std::string body =
          dump(failure ? error_json(*failure)
                       : whole_answer(turn->answer(), *choices, turn->answering().usage()));
      const bool sent = sink.write(body.data(), body.size());
      sink.done();
      return sent;
    });
  }

  static void collect(const std::vector<ApiPiece>& pieces, std::vector<ApiChoice>& choices) {
    for (const ApiPiece& piece : pieces) {
      choices[piece.choice].text += piece.text;
      if (!piece.finish.empty()) choices[piece.choice].finish = piece.finish;
    }
  }

  void stream(httplib::Response& response, std::shared_ptr<Turn> turn, bool goes_on) {
    response.set_header("Cache-Control", "no-cache");
    response.set_chunked_content_provider(
        "text/event-stream", [turn = std::move(turn), goes_on, begun = false](
                                 std::size_t, httplib::DataSink& sink) mutable {
          std::string events;
          if (!begun && turn->request().chat) add_event(events, first_chunk(turn->answer(), 0));
          begun = true;
          for (const ApiPiece& piece : turn->answering().pieces())
            add_event(events, next_chunk(turn->answer(), piece.choice, {piece.text, piece.finish}));
          if (!goes_on) end_stream(events, *turn);
          const bool sent =
              events.empty() ? sink.is_writable() : sink.write(events.data(), events.size());
          if (!goes_on) sink.done();
          if (sent && goes_on) goes_on = turn->wait();
          return sent;
        });
  }

  static void add_event(std::string& events, const nlohmann::json& json) {
    events += "data: " + dump(json) + "\n\n";
  }

  static void end_stream(std::string& events, Turn& turn) {
    if (const auto& failure = turn.answering().failure()) {
      add_event(events, error_json(*failure));
      return;
    }
    if (turn.request().stream_usage)
      add_event(events, usage_chunk(turn.answer(), turn.answering().usage()));
    events += "data: [DONE]\n\n";
  }

  void listen() {
    port_ = options_.port;
    int listener = -1;
    server_.set_socket_options([&](int socket) {
      const int yes = 1;  // not SO_REUSEPORT, by which two services would share a port
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      listener = socket;
    });
    const bool bound = port_ == 0 ? (port_ = server_.bind_to_any_port(options_.host)) > 0
                                  : server_.bind_to_port(options_.host, port_);
    if (!bound || !server_.is_valid()) {
      throw WorldError(
          fmt::format("`http` {}:{}: cannot listen there: in use, or no address of "
                      "this machine",
                      options_.host, options_.port));
    }
    ::listen(listener, kBacklog);  // the library's own is for a handful
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  const HttpOptions options_;
  const ServedModel model_;
  const std::int64_t begun_;
  Counters counters_;
  std::atomic<int> connections_{0};

  std::mutex mutex_;
  std::condition_variable idle_;
  OpenClient open_;        // guarded by mutex_; empty: not ready
  int answering_ = 0;      // guarded by mutex_
  std::int64_t next_ = 0;  // guarded by mutex_
  int port_ = 0;
  httplib::Server server_;
  std::thread thread_;
};

HttpService::HttpService(const HttpOptions& options, ServedModel model)
    : impl_(std::make_unique<Impl>(options, std::move(model))) {}

HttpService::~HttpService() = default;

std::string HttpService::url() const { return impl_->url(); }

void HttpService::begin_serving(OpenClient open) { impl_->begin_serving(std::move(open)); }

void HttpService::end_serving(const std::function<void()>& stop) { impl_->end_serving(stop); }

}  // namespace lingua
