#pragma once
// What OpenAI's API says over HTTP, as values: completions, chat completions, models, errors.
//
// A request that asks for what is not there (several choices, log probabilities, tools) is refused by name;
// fields that change nothing here (user, metadata) are passed over. Beside OpenAI's fields, top_k and
// repetition_penalty count.
// Errors: ApiError for a body that is no request. Bodies come from strangers: nothing is believed of them.
// Source: OpenAI's API reference, "Completions" and "Chat" (2025).

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/text/chat.h"

namespace lingua {

class ApiError : public std::runtime_error {
 public:
  ApiError(int status, const std::string& message, std::string param = "", std::string code = "")
      : std::runtime_error(message),
        status(status),
        param(std::move(param)),
        code(std::move(code)) {}
  int status;         // of HTTP
  std::string param;  // the field, where it is one
  std::string code;   // "model_not_found"
};

struct ApiRequest {
  bool chat = false;
  std::string model;                                // empty: not given
  std::vector<std::string> prompts;                 // of completions,
  std::vector<std::vector<TokenId>> token_prompts;  // or these
  std::vector<ChatMessage> messages;                // of a chat
  std::optional<std::int64_t> max_tokens;
  Sampling sampling;  // the given one, where the body says nothing
  std::vector<std::string> stop;
  bool stream = false;
  bool stream_usage = false;
};

ApiRequest parse_api_request(const std::string& body, bool chat, const Sampling& usual);

// What the answers to one request share.
struct ApiAnswer {
  bool chat = false;
  std::string id;  // "chatcmpl-17"
  std::string model;
  std::int64_t created = 0;  // Unix time
};
struct ApiChoice {
  std::string text;
  std::string finish;  // "stop", "length"; empty while it goes on
};
struct ApiUsage {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
};

std::string finish_reason(Ending ending, bool stopped_by_text);

nlohmann::json whole_answer(const ApiAnswer& answer, const std::vector<ApiChoice>& choices,
                            const ApiUsage& usage);
// Chunks of a stream: the beginning of a chat's turn, a piece of a choice, the end.
nlohmann::json first_chunk(const ApiAnswer& answer, std::size_t choice);
nlohmann::json next_chunk(const ApiAnswer& answer, std::size_t choice, const ApiChoice& piece);
nlohmann::json usage_chunk(const ApiAnswer& answer, const ApiUsage& usage);
nlohmann::json error_json(const ApiError& error);
nlohmann::json models_json(const std::string& model, std::int64_t created);

// What a client of a service reads: each takes one JSON object and throws InputError for what is none.
struct ApiPiece {
  std::size_t choice = 0;
  std::string text;
  std::string finish;
};
std::vector<ApiPiece> read_pieces(const std::string& json, const std::string& where);
// The message of an error's body; the body itself, cut, where it is none.
std::string read_error(const std::string& body);

}  // namespace lingua
