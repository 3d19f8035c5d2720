#pragma once
// A model over HTTP: OpenAI's completions and chat, /v1/models, /health, /metrics.
//
// Streams are server-sent events. A connection has a thread of its own while it is open and goes when it has
// said nothing for a while; a client that hangs up has its request cancelled.
// Trust: plain HTTP. With an API key whoever has it may ask; /health is for all.
// Threads: its own, for connections; the functions may be called from any.
// Errors: WorldError for a port in use or an address that is none. What is wrong with a request is told to
// who asked, as OpenAI's API does.

#include <functional>
#include <memory>
#include <string>

#include "runtime/http/answering.h"

namespace lingua {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;      // 0: any
  std::string api_key;  // empty: none is asked for
  // More of /metrics, from any thread; may be empty.
  std::function<std::string()> metrics = {};
};

class HttpService {
 public:
  // Listens from now on, and answers that it is not ready.
  HttpService(const HttpOptions& options, ServedModel model);
  ~HttpService();
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  std::string url() const;  // "http://127.0.0.1:8080"

  using OpenClient = std::function<std::unique_ptr<Mailbox>(const DeviceName& name)>;
  // Requests are taken, each through a mailbox of its own.
  void begin_serving(OpenClient open);
  // No more are; `stop` ends those that are under way. Returns when no mailbox is used any more.
  void end_serving(const std::function<void()>& stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lingua
