#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/text/jinja/value.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string quoted_python(const std::string& text) {
  const bool single = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = single ? '"' : '\'';
  std::string out(1, quote);
  for (const std::string_view c : characters(text)) {
    const char32_t code = utf8_piece(c, 0).code_point;
    if (code == static_cast<char32_t>(quote) || code == '\\') {
      out += '\\';
      out += c;
    } else if (code == '\n') {
      out += "\\n";
    } else if (code == '\r') {
      out += "\\r";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code < 0x20 || (code >= 0x7F && code < 0xA1) || code == 0xAD) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(code));
    } else if ((code >= 0x2000 && code <= 0x200F) || (code >= 0x2028 && code <= 0x202F) ||
               (code >= 0x205F && code <= 0x206F) || code == 0x3000 || code == 0xFEFF) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    } else {
      out += c;
    }
  }
  return out + quote;
}

std::string quoted_json(const std::string& text, bool ascii) {
  std::string out = "\"";
  for (const std::string_view c : characters(text)) {
    const auto code = static_cast<unsigned>(utf8_piece(c, 0).code_point);
    static const std::string kPlain = "\"\\\n\r\t\b\f";
    static const std::string kLetters = "\"\\nrtbf";
    const std::size_t known = code < 0x80 ? kPlain.find(static_cast<char>(code)) : kPlain.npos;
    if (known != std::string::npos) {
      out += '\\';
      out += kLetters[known];
    } else if (code < 0x20 || (ascii && code > 0x7E && code < 0x10000)) {
      out += fmt::format("\\u{:04x}", code);
    } else if (ascii && code >= 0x10000) {
      const unsigned rest = code - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Collects text as long as the budget allows.
class Output {
 public:
  explicit Output(Budget& budget) : budget_(budget) {}
  void add(const std::string& text) {
    budget_.spend(static_cast<std::int64_t>(text.size()) + 4);
    text_ += text;
  }
  std::string take() { return std::move(text_); }

  class Deeper {
   public:
    explicit Deeper(Output& out) : out_(out) {
      if (out.depth_ >= kMaxDepth) fail("namespaces that hold each other are not printed");
      ++out.depth_;
    }
    ~Deeper() { --out_.depth_; }

   private:
    Output& out_;
  };

 private:
  Budget& budget_;
  std::string text_;
  int depth_ = 0;
};

void write_repr(const Value& value, Output& out);

// Python writes the addresses of other objects: such a text is nobody's intention.
void write_object(const Value& value, Output& out) {
  const Object& object = value.object();
  switch (object.kind) {
    case Object::Kind::kNamespace: {
      const Output::Deeper deeper(out);  // namespaces may hold each other
      out.add("<Namespace ");
      write_repr(Value::dict(object.attributes), out);
      return out.add(">");
    }
    case Object::Kind::kMacro: return out.add("<Macro " + quoted_python(object.name) + ">");
    case Object::Kind::kLoop:
      return out.add(
          fmt::format("<LoopContext {}/{}>", object.index + 1, object.self.items().size()));
    case Object::Kind::kView:
      out.add(object.name + "(");
      write_repr(object.self, out);
      return out.add(")");
    default: fail(fmt::format("a {} is not printed", value.type()));
  }
}

void write_repr(const Value& value, Output& out) {
  if (value.is_undefined()) return out.add("Undefined");
  if (value.is_none()) return out.add("None");
  if (value.is_bool()) return out.add(value.whole() != 0 ? "True" : "False");
  if (value.is_int()) return out.add(fmt::format("{}", value.whole()));
  if (value.is_float()) return out.add(float_text(value.real()));
  if (value.is_text()) {
    const std::string quoted = quoted_python(value.text());
    return out.add(value.is_markup() ? "Markup(" + quoted + ")" : quoted);
  }
  if (value.is_list() || value.is_tuple()) {
    const bool tuple = value.is_tuple();
    out.add(tuple ? "(" : "[");
    const char* separator = "";
    for (const Value& item : value.items()) {
      out.add(separator);
      write_repr(item, out);
      separator = ", ";
    }
    if (tuple && value.items().size() == 1) out.add(",");
    return out.add(tuple ? ")" : "]");
  }
  if (value.is_sequence()) {
    const auto& [start, stop, step] = value.sequence().bounds;
    const std::string last = step == 1 ? "" : fmt::format(", {}", step);
    return out.add(fmt::format("range({}, {}{})", start, stop, last));
  }
  if (value.is_object()) return write_object(value, out);
  out.add("{");
  const char* separator = "";
  for (const auto& [key, item] : value.entries()) {
    out.add(separator);
    write_repr(key, out);
    out.add(": ");
    write_repr(item, out);
    separator = ", ";
  }
  out.add("}");
}

std::string json_key(const Value& key) {
  if (key.is_text()) return key.text();
  if (key.is_none()) return "null";
  if (key.is_bool()) return key.whole() != 0 ? "true" : "false";
  if (key.is_int()) return fmt::format("{}", key.whole());
  if (key.is_float()) return float_text(key.real());
  fail(fmt::format("tojson: {} is no key", key.type()));
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget)
      : style_(style), out_(budget), budget_(budget) {}

  void write(const Value& value) {
    if (value.is_none()) return out_.add("null");
    if (value.is_bool()) return out_.add(value.whole() != 0 ? "true" : "false");
    if (value.is_int()) return out_.add(fmt::format("{}", value.whole()));
    if (value.is_float()) return write_float(value.real());
    if (value.is_text()) return out_.add(quoted_json(value.text(), style_.ascii));
    if (value.is_list() || value.is_tuple()) return write_list(value.items());
    if (value.is_dict()) return write_dict(value.entries());
    fail(fmt::format("tojson: {} cannot be written as JSON", value.type()));
  }
  std::string take() { return out_.take(); }

 private:
  void write_float(double value) {
    if (std::isnan(value)) return out_.add("NaN");
    if (std::isinf(value)) return out_.add(value > 0 ? "Infinity" : "-Infinity");
    out_.add(float_text(value));
  }
  void write_list(const List& items) {
    if (items.empty()) return out_.add("[]");
    out_.add("[");
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      next(i);
      write(items[i]);
    }
    --depth_;
    line();
    out_.add("]");
  }
  void write_dict(const Entries& unsorted) {
    if (unsorted.empty()) return out_.add("{}");
    Entries entries = unsorted;
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
        return compare(a.first, b.first, budget_) < 0;
      });
    }
    out_.add("{");
    ++depth_;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      next(i);
      out_.add(quoted_json(json_key(entries[i].first), style_.ascii));
      out_.add(style_.key_separator);
      write(entries[i].second);
    }
    --depth_;
    line();
    out_.add("}");
  }
  void next(std::size_t index) {
    if (index > 0) out_.add(style_.item_separator);
    line();
  }
  void line() {
    if (!style_.indent) return;
    out_.add("\n");
    for (int i = 0; i < depth_; ++i) out_.add(*style_.indent);
  }

  const JsonStyle& style_;
  Output out_;
  Budget& budget_;
  int depth_ = 0;
};

}  // namespace

std::string to_text(const Value& value, Budget& budget) {
  if (value.is_undefined()) return "";
  if (!value.is_text()) return to_repr(value, budget);
  budget.spend(static_cast<std::int64_t>(value.text().size()));
  return value.text();
}

std::string to_repr(const Value& value, Budget& budget) {
  Output out(budget);
  write_repr(value, out);
  return out.take();
}

std::string to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value);
  return writer.take();
}

}  // namespace lingua::jinja
