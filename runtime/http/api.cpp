#include "runtime/http/api.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostPrompts = 64;
constexpr std::size_t kMostStops = 16;
constexpr std::size_t kMostMessages = 10000;

[[noreturn]] void refuse(const std::string& field, const std::string& wanted) {
  throw ApiError(400, fmt::format("'{}' must be {}", field, wanted), field);
}

// A field that is there and not null.
const Json* find(const Json& body, const char* field) {
  const auto place = body.find(field);
  return place == body.end() || place->is_null() ? nullptr : &*place;
}

double number(const Json& body, const char* field, double usual, double low, double high) {
  const Json* value = find(body, field);
  if (value == nullptr) return usual;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= low && number <= high))
    refuse(field, fmt::format("a number from {} to {}", low, high));
  return number;
}

std::optional<std::int64_t> integer(const Json& body, const char* field, std::int64_t low,
                                    std::int64_t high) {
  const Json* value = find(body, field);
  if (value == nullptr) return std::nullopt;
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX);
  if (!fits || value->get<std::int64_t>() < low || value->get<std::int64_t>() > high)
    refuse(field, fmt::format("an integer from {} to {}", low, high));
  return value->get<std::int64_t>();
}

bool flag(const Json& body, const char* field) {
  const Json* value = find(body, field);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse(field, "true or false");
  return value->get<bool>();
}

// What would change the answer and is not there.
void refuse_what_is_not_there(const Json& body) {
  const auto only = [&](const char* field, const Json& accepted) {
    const Json* value = find(body, field);
    if (value == nullptr || *value == accepted) return;
    throw ApiError(400, fmt::format("'{}' other than {} is not supported", field, accepted.dump()),
                   field);
  };
  only("n", 1);
  only("best_of", 1);
  only("echo", false);
  only("suffix", "");
  only("presence_penalty", 0);
  only("frequency_penalty", 0);
  only("logit_bias", Json::object());
  only("tools", Json::array());
  only("functions", Json::array());
  only("top_logprobs", 0);
  only("response_format", Json{{"type", "text"}});
  const Json* logprobs = find(body, "logprobs");
  if (logprobs != nullptr && *logprobs != false)
    throw ApiError(400, "'logprobs' are not supported", "logprobs");
}

std::vector<TokenId> token_ids(const Json& list) {
  std::vector<TokenId> ids;
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < 0 || id > (std::int64_t{1} << 40))
      refuse("prompt", "text, token ids, or a list of either");
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

void read_prompt(const Json& body, ApiRequest& request) {
  constexpr const char* kWanted = "text, token ids, or a list of either";
  const Json* prompt = find(body, "prompt");
  if (prompt == nullptr) throw ApiError(400, "'prompt' is missing", "prompt");
  if (prompt->is_string()) {
    request.prompts.push_back(prompt->get<std::string>());
    return;
  }
  if (!prompt->is_array() || prompt->empty()) refuse("prompt", kWanted);
  if (prompt->front().is_number()) {
    request.token_prompts.push_back(token_ids(*prompt));
    return;
  }
  if (prompt->size() > kMostPrompts) refuse("prompt", fmt::format("at most {}", kMostPrompts));
  for (const Json& one : *prompt) {
    if (one.is_string()) {
      request.prompts.push_back(one.get<std::string>());
    } else if (one.is_array()) {
      request.token_prompts.push_back(token_ids(one));
    } else {
      refuse("prompt", kWanted);
    }
  }
  if (!request.prompts.empty() && !request.token_prompts.empty()) refuse("prompt", kWanted);
}

// Text, or a list of parts that are text.
std::string content_of(const Json& message, std::size_t index) {
  const std::string field = fmt::format("messages[{}].content", index);
  const Json* content = find(message, "content");
  if (content == nullptr) refuse(field, "text");
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) refuse(field, "text");
  std::string text;
  for (const Json& part : *content) {
    const Json* piece = part.is_object() ? find(part, "text") : nullptr;
    if (piece == nullptr || !piece->is_string() || part.value("type", Json()) != "text")
      refuse(field, "text, or parts of type 'text'");
    text += piece->get<std::string>();
  }
  return text;
}

void read_messages(const Json& body, ApiRequest& request) {
  const Json* messages = find(body, "messages");
  if (messages == nullptr) throw ApiError(400, "'messages' is missing", "messages");
  if (!messages->is_array() || messages->empty() || messages->size() > kMostMessages)
    refuse("messages", fmt::format("a list of 1 to {} messages", kMostMessages));
  for (std::size_t i = 0; i < messages->size(); ++i) {
    const Json& message = (*messages)[i];
    const std::string field = fmt::format("messages[{}]", i);
    if (!message.is_object()) refuse(field, "an object with a role and content");
    const Json* role = find(message, "role");
    if (role == nullptr || !role->is_string())
      refuse(field + ".role", "'system', 'user' or 'assistant'");
    std::string name = role->get<std::string>();
    if (name == "developer") name = "system";
    if (name != "system" && name != "user" && name != "assistant")
      refuse(field + ".role", "'system', 'user' or 'assistant'");
    request.messages.push_back({std::move(name), content_of(message, i)});
  }
}

void read_stop(const Json& body, ApiRequest& request) {
  const Json* stop = find(body, "stop");
  if (stop == nullptr) return;
  const Json list = stop->is_array() ? *stop : Json::array({*stop});
  for (const Json& one : list) {
    if (!one.is_string() || one.get<std::string>().empty() || list.size() > kMostStops)
      refuse("stop", fmt::format("a text that is not empty, or up to {} of them", kMostStops));
    request.stop.push_back(one.get<std::string>());
  }
}

void read_sampling(const Json& body, Sampling& sampling) {
  sampling.temperature = number(body, "temperature", sampling.temperature, 0, 2);
  sampling.top_p = number(body, "top_p", sampling.top_p, 0, 1);
  if (sampling.top_p == 0) refuse("top_p", "more than 0, at most 1");
  sampling.top_k = integer(body, "top_k", 0, INT32_MAX).value_or(sampling.top_k);
  sampling.repetition_penalty =
      number(body, "repetition_penalty", sampling.repetition_penalty, 0.01, 100);
  if (const auto seed = integer(body, "seed", INT64_MIN, INT64_MAX))
    sampling.seed = static_cast<std::uint64_t>(*seed);
}

Json envelope(const ApiAnswer& answer, bool is_chunk) {
  const char* object = !answer.chat ? "text_completion"
                       : is_chunk   ? "chat.completion.chunk"
                                    : "chat.completion";
  return {{"id", answer.id},
          {"object", object},
          {"created", answer.created},
          {"model", answer.model},
          {"choices", Json::array()}};
}

Json usage_json(const ApiUsage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

Json finish_json(const std::string& finish) { return finish.empty() ? Json() : Json(finish); }

}  // namespace

ApiRequest parse_api_request(const std::string& text, bool chat, const Sampling& usual) {
  const Json body = Json::parse(text, nullptr, false);
  if (body.is_discarded()) throw ApiError(400, "the body is not JSON");
  if (!body.is_object()) throw ApiError(400, "the body must be a JSON object");
  ApiRequest request;
  request.chat = chat;
  request.sampling = usual;
  if (const Json* model = find(body, "model")) {
    if (!model->is_string()) refuse("model", "text");
    request.model = model->get<std::string>();
  }
  refuse_what_is_not_there(body);
  if (chat) {
    read_messages(body, request);
  } else {
    read_prompt(body, request);
  }
  request.max_tokens = integer(body, "max_tokens", 1, std::int64_t{1} << 20);
  if (const auto newer = integer(body, "max_completion_tokens", 1, std::int64_t{1} << 20))
    request.max_tokens = newer;
  read_sampling(body, request.sampling);
  read_stop(body, request);
  request.stream = flag(body, "stream");
  if (const Json* options = find(body, "stream_options")) {
    if (!options->is_object()) refuse("stream_options", "an object");
    request.stream_usage = flag(*options, "include_usage");
  }
  return request;
}

std::string finish_reason(Ending ending, bool stopped_by_text) {
  return ending == Ending::kStop || stopped_by_text ? "stop" : "length";
}

Json whole_answer(const ApiAnswer& answer, const std::vector<ApiChoice>& choices,
                  const ApiUsage& usage) {
  Json json = envelope(answer, false);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Json choice = {
        {"index", i}, {"finish_reason", finish_json(choices[i].finish)}, {"logprobs", nullptr}};
    if (answer.chat) {
      choice["message"] = {{"role", "assistant"}, {"content", choices[i].text}};
    } else {
      choice["text"] = choices[i].text;
    }
    json["choices"].push_back(std::move(choice));
  }
  json["usage"] = usage_json(usage);
  return json;
}

Json first_chunk(const ApiAnswer& answer, std::size_t choice) {
  Json json = envelope(answer, true);
  json["choices"].push_back({{"index", choice},
                             {"delta", {{"role", "assistant"}, {"content", ""}}},
                             {"finish_reason", nullptr}});
  return json;
}

Json next_chunk(const ApiAnswer& answer, std::size_t choice, const ApiChoice& piece) {
  Json json = envelope(answer, true);
  Json one = {{"index", choice}, {"finish_reason", finish_json(piece.finish)}};
  if (!answer.chat) {
    one["text"] = piece.text;
  } else {
    one["delta"] = piece.text.empty() ? Json::object() : Json{{"content", piece.text}};
  }
  json["choices"].push_back(std::move(one));
  return json;
}

Json usage_chunk(const ApiAnswer& answer, const ApiUsage& usage) {
  Json json = envelope(answer, true);
  json["usage"] = usage_json(usage);
  return json;
}

Json error_json(const ApiError& error) {
  const char* type = error.status >= 500   ? "server_error"
                     : error.status == 401 ? "authentication_error"
                                           : "invalid_request_error";
  return {{"error",
           {{"message", error.what()},
            {"type", type},
            {"param", finish_json(error.param)},
            {"code", finish_json(error.code)}}}};
}

Json models_json(const std::string& model, std::int64_t created) {
  return {{"object", "list"},
          {"data",
           {{{"id", model}, {"object", "model"}, {"created", created}, {"owned_by", "lingua"}}}}};
}

std::vector<ApiPiece> read_pieces(const std::string& text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  const auto fail = [&]() -> InputError {
    return InputError(
        fmt::format("{}: answers with what is no completion: {}", where, one_line(text, 200)));
  };
  if (!json.is_object()) throw fail();
  if (json.contains("error")) throw WorldError(fmt::format("{}: {}", where, read_error(text)));
  const Json* choices = find(json, "choices");
  if (choices == nullptr || !choices->is_array()) throw fail();
  std::vector<ApiPiece> pieces;
  for (const Json& choice : *choices) {
    if (!choice.is_object()) throw fail();
    const Json* message = find(choice, "delta");
    if (message == nullptr) message = find(choice, "message");
    const Json* content = message != nullptr && message->is_object() ? find(*message, "content")
                                                                     : find(choice, "text");
    const Json* finish = find(choice, "finish_reason");
    const Json* index = find(choice, "index");
    if ((content != nullptr && !content->is_string()) ||
        (finish != nullptr && !finish->is_string()) ||
        (index != nullptr && !index->is_number_unsigned()))
      throw fail();
    pieces.push_back({index == nullptr ? 0 : index->get<std::size_t>(),
                      content == nullptr ? "" : content->get<std::string>(),
                      finish == nullptr ? "" : finish->get<std::string>()});
  }
  return pieces;
}

std::string read_error(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  const Json* error = json.is_object() ? find(json, "error") : nullptr;
  const Json* message = error != nullptr && error->is_object() ? find(*error, "message") : nullptr;
  return one_line(message != nullptr && message->is_string() ? message->get<std::string>() : body,
                  500);
}

}  // namespace lingua
