#pragma once
// A client of a service that speaks OpenAI's API: ours, or another.
//
// Threads: one. Errors: UsageError for a URL that is none; WorldError when nobody answers there, an answer
// breaks off, or the service refuses: with its reason.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/http/api.h"

namespace lingua {

class ApiClient {
 public:
  // "http://HOST:PORT", with or without /v1. An empty key: none is given.
  explicit ApiClient(const std::string& url, const std::string& api_key = "");
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // The first model that it serves.
  std::string model();

  // Asks with "stream" set, and gives each piece as it comes. What the service refuses with status 400 and
  // this code is given back as its message, since something can be done about it; else nothing.
  std::optional<std::string> ask(const std::string& path, nlohmann::json body,
                                 const std::function<void(const ApiPiece&)>& on_piece,
                                 const std::string& code = "");

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lingua
