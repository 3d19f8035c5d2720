#pragma once
// One value of a JSON file with the path to it, for messages that name the field.
//
// Ownership: refers into the parsed file, which must outlive it.
// Errors: InputError "FILE: a.b[3] is VALUE; WHAT is accepted".

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lingua {

class JsonField {
 public:
  // `where` names the file, or the file and the path inside it.
  JsonField(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}

  bool exists() const { return !value_->is_null(); }
  const nlohmann::json& value() const { return *value_; }
  const std::string& where() const { return where_; }

  // A member of an object; one that is missing does not exist().
  JsonField operator[](const std::string& key) const;
  std::vector<JsonField> items() const;  // of an array

  const std::string& text() const;
  std::int64_t whole() const;  // at least 0
  bool flag(bool otherwise) const;
  std::string text(const std::string& otherwise) const;

  // The member "type" of an object.
  std::string type() const { return (*this)["type"].text(); }

  [[noreturn]] void refuse(const std::string& accepted) const;

 private:
  const nlohmann::json* value_;
  std::string where_;
};

// The object in a file, no deeper than 64; empty when there is no such file. Errors: InputError
// naming it.
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace lingua
