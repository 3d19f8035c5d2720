#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/layout.h"
#include "runtime/text/jinja/operations.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

std::string ascii_repr(const Value& value, Budget& budget) {
  std::string out;
  const std::string text = to_repr(value, budget);
  for (const std::string_view c : characters(text)) {
    const auto code = static_cast<unsigned>(utf8_piece(c, 0).code_point);
    if (code < 0x80) {
      out += c;
    } else {
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    }
  }
  return out;
}

// "%..." with values behind it.
class PercentFormatter {
 public:
  // `escapes`: the format is markup.
  PercentFormatter(const Value& values, bool escapes, Budget& budget)
      : values_(values),
        escapes_(escapes),
        budget_(budget),
        all_(values.is_tuple() ? values.items() : List{values}) {}

  std::string run(const std::string& format) {
    for (at_ = 0; at_ < format.size();) {
      const char c = format[at_++];
      if (c != '%') {
        out_ += c;
      } else {
        conversion(format);
      }
    }
    // As in Python, what could be looked up in is not missed.
    const bool looked_up = values_.is_dict() || values_.is_undefined() ||
                           (values_.is_sequence() && !values_.is_tuple());
    if (used_ < all_.size() && !looked_up) fail("more values than the format has places");
    return std::move(out_);
  }

 private:
  Value next() {
    if (used_ >= all_.size()) fail("not enough values for the format");
    return all_[used_++];
  }

  std::int64_t number(const std::string& format) {
    if (at_ >= format.size() || format[at_] != '*') return read_number(format, at_);
    ++at_;
    const Value value = next();
    if (!value.is_int() && !value.is_bool()) fail("'*' in a format takes whole numbers");
    return std::clamp<std::int64_t>(value.whole(), -(1LL << 40), 1LL << 40);
  }

  void conversion(const std::string& format) {
    std::optional<Value> named;
    if (at_ < format.size() && format[at_] == '(') {
      const std::size_t end = format.find(')', at_);
      if (end == format.npos || !values_.is_dict()) fail("%(name) needs a dictionary");
      named = item(values_, Value(format.substr(at_ + 1, end - at_ - 1)), budget_);
      if (named->is_undefined()) fail(named->what());
      at_ = end + 1;
      used_ = all_.size();
    }
    Layout how;
    bool zeros = false;
    how.align = '>';
    for (; at_ < format.size() && is_one_of(format[at_], "-0+ #"); ++at_) {
      if (format[at_] == '-') how.align = '<';
      if (format[at_] == '0') zeros = true;
      if (format[at_] == '#') how.alternate = true;
      if (format[at_] == '+' || (format[at_] == ' ' && how.sign != '+')) how.sign = format[at_];
    }
    how.width = number(format);
    if (how.width < 0) {
      how.align = '<';
      how.width = -how.width;
    }
    if (at_ < format.size() && format[at_] == '.') {
      ++at_;
      how.precision = std::max<std::int64_t>(0, number(format));
    }
    if (at_ < format.size() && is_one_of(format[at_], "hlL")) ++at_;
    if (at_ >= format.size()) fail("a format that ends after '%'");
    how.kind = format[at_++];
    if (!is_one_of(how.kind, "%diuoxXeEfFgGcrsa")) {
      fail(fmt::format("the format {} is not known", lingua::quoted(std::string("%") + how.kind)));
    }
    if (how.kind == '%') {
      out_ += '%';
      return;
    }
    write(named ? *named : next(), how, zeros && how.align == '>');
  }

  void write(const Value& value, Layout how, bool zeros) {
    const char kind = how.kind;
    if (kind == 's' || kind == 'r' || kind == 'a') {
      std::string text = kind == 's'   ? to_text(value, budget_)
                         : kind == 'r' ? to_repr(value, budget_)
                                       : ascii_repr(value, budget_);
      if (escapes_) text = escaped(kind == 's' ? value : Value(text), budget_);
      out_ += aligned("", cut(text, how.precision), how, budget_);
      return;
    }
    if (kind == 'c') {
      const bool one = value.is_text() && length_of(value.text()) == 1;
      if (!one && !value.is_int()) fail(fmt::format("%c of {}", value.type()));
      const std::string text = one ? value.text()
                                   : utf8_of(static_cast<char32_t>(
                                         std::clamp<std::int64_t>(value.whole(), 0, 0x110000)));
      out_ += aligned("", text, how, budget_);
      return;
    }
    if (value.is_undefined()) fail(value.what());
    if (!value.is_number()) fail(fmt::format("%{} of {}", kind, value.type()));
    if (zeros) {
      how.fill.assign(1, '0');
      how.align = '=';
    }
    out_ += is_one_of(kind, "eEfFgG") ? number_text(value, how, budget_) : whole_number(value, how);
  }

  std::string whole_number(Value value, Layout how) {
    const bool decimal = how.kind == 'd' || how.kind == 'i' || how.kind == 'u';
    if (decimal) how.kind = 'd';
    if (value.is_float()) {
      if (!decimal) fail(fmt::format("%{} of {}", how.kind, value.type()));
      if (!(std::abs(value.real()) < 9e18)) fail("a number beyond 64 bits");
      value = Value(static_cast<std::int64_t>(value.real()));
    }
    Digits digits = digits_of(value, how, budget_);
    const std::int64_t missing = how.precision - static_cast<std::int64_t>(digits.whole.size());
    if (missing > 0) {
      budget_.spend(missing);
      digits.whole = std::string(static_cast<std::size_t>(missing), '0') + digits.whole;
    }
    return aligned(digits.sign, digits.whole, how, budget_);
  }

  const Value& values_;
  const bool escapes_;
  Budget& budget_;
  List all_;
  std::size_t used_ = 0;
  std::size_t at_ = 0;
  std::string out_;
};

// "{...}".format(...).
class BraceFormatter {
 public:
  // `escapes`: the format is markup.
  BraceFormatter(const Arguments& arguments, bool escapes, Budget& budget)
      : arguments_(arguments), escapes_(escapes), budget_(budget) {}

  std::string run(std::string_view format, int deepest) {
    std::string out;
    for (std::size_t at = 0; at < format.size();) {
      const char c = format[at++];
      if ((c == '{' || c == '}') && at < format.size() && format[at] == c) {
        out += c;
        ++at;
      } else if (c == '}') {
        fail("a single '}' in a format");
      } else if (c == '{') {
        if (deepest == 0) fail("a format within a format within a format");
        const std::size_t begin = at;
        for (int open = 1; open > 0; ++at) {
          if (at >= format.size()) fail("a '{' without its '}' in a format");
          open += format[at] == '{' ? 1 : format[at] == '}' ? -1 : 0;
        }
        out += field(format.substr(begin, at - begin - 1), deepest);
      } else {
        out += c;
      }
    }
    return out;
  }

 private:
  // NAME!CONVERSION:SPECIFICATION
  std::string field(std::string_view text, int deepest) {
    std::size_t end = 0;
    for (bool inside = false; end < text.size(); ++end) {
      if (text[end] == '[') inside = true;
      if (text[end] == ']') inside = false;
      if (!inside && (text[end] == '!' || text[end] == ':')) break;
    }
    Value value = named(text.substr(0, end));
    if (end < text.size() && text[end] == '!') {
      const char how = end + 1 < text.size() ? text[end + 1] : '\0';
      end += 2;
      if (end < text.size() && text[end] != ':') fail("something between '!' and ':' in a format");
      if (how != 's' && how != 'r' && how != 'a')
        fail("the conversions !s, !r and !a are accepted");
      value = how == 's'   ? Value(to_text(value, budget_))
              : how == 'r' ? Value(to_repr(value, budget_))
                           : Value(ascii_repr(value, budget_));
    }
    const std::string spec = end < text.size() ? run(text.substr(end + 1), deepest - 1) : "";
    const std::string written = formatted(value, spec, budget_);
    return escapes_ ? escaped(text_like(value, written), budget_) : written;
  }

  // "0", "name", "", with ".attribute" and "[key]" behind it.
  Value named(std::string_view text) {
    std::size_t at = std::min(text.find_first_of(".["), text.size());
    Value value = argument(text.substr(0, at));
    while (at < text.size()) {
      const bool key = text[at] == '[';
      const std::size_t begin = ++at;
      at = std::min(key ? text.find(']', begin) : text.find_first_of(".[", begin), text.size());
      const std::string_view part = text.substr(begin, at - begin);
      if (part.empty() || (key && at == text.size())) fail("a format with an incomplete field");
      if (key) {
        value = item(value, index_of(part) ? Value(*index_of(part)) : Value(std::string(part)),
                     budget_);
        if (++at < text.size() && text[at] != '.' && text[at] != '[')
          fail("a format with text behind ']'");
      } else {
        value = attribute(value, std::string(part), budget_);
      }
    }
    return value;
  }

  static std::optional<std::int64_t> index_of(std::string_view text) {
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
    std::size_t at = 0;
    return read_number(text, at);
  }

  Value argument(std::string_view name) {
    std::optional<std::int64_t> index = index_of(name);
    if (index || name.empty()) {
      const Numbering numbering = index ? Numbering::kManual : Numbering::kAutomatic;
      if (numbering_ != Numbering::kNone && numbering_ != numbering) {
        fail("a format with numbered and unnumbered fields");
      }
      numbering_ = numbering;
      const std::int64_t at = index ? *index : next_++;
      if (at >= static_cast<std::int64_t>(arguments_.positional.size())) {
        fail("format() has not enough values");
      }
      return arguments_.positional[static_cast<std::size_t>(at)];
    }
    for (const auto& [known, value] : arguments_.keywords) {
      if (known == name) return value;
    }
    fail(fmt::format("format() without {}", lingua::quoted(std::string(name))));
  }

  enum class Numbering { kNone, kManual, kAutomatic };
  const Arguments& arguments_;
  const bool escapes_;
  Budget& budget_;
  Numbering numbering_ = Numbering::kNone;
  std::int64_t next_ = 0;
};

}  // namespace

Value percent_format(const Value& format, const Value& values, Budget& budget) {
  const bool markup = format.is_markup();
  return text_like(format, PercentFormatter(values, markup, budget).run(format.text()));
}

Value brace_format(const Value& format, const Arguments& arguments, Budget& budget) {
  const bool markup = format.is_markup();
  return text_like(format, BraceFormatter(arguments, markup, budget).run(format.text(), 2));
}

}  // namespace lingua::jinja
