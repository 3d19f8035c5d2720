#pragma once
// Damage done to messages: to the bytes of their frames, to numbers and fields of Protobuf, to frames and to
// their order.
//
// Determinism: what a Damage does follows from its seed and what it is given.

#include <bit>
#include <limits>
#include <utility>

#include "runtime/base/random.h"
#include "tests/net/traffic.h"

namespace lingua::testing {

// One field of a Protobuf message; of a field with a length, `value` is what comes after it.
struct ProtoField {
  std::uint64_t tag = 0;
  std::string value;
};

inline std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
  return bytes + static_cast<char>(number);
}

inline std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (int shift = 0; shift < 70 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (shift < 64) number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

// Nothing where the bytes are no Protobuf.
inline std::optional<std::vector<ProtoField>> proto_fields(std::string_view bytes) {
  std::vector<ProtoField> fields;
  while (!bytes.empty()) {
    const auto tag = take_varint(bytes);
    if (!tag || *tag < 8) return std::nullopt;
    std::uint64_t size = 0;
    switch (*tag & 7) {
      case 0: {
        const auto number = take_varint(bytes);
        if (!number) return std::nullopt;
        fields.push_back({*tag, varint(*number)});
        continue;
      }
      case 1: size = 8; break;
      case 2: {
        const auto length = take_varint(bytes);
        if (!length) return std::nullopt;
        size = *length;
        break;
      }
      case 5: size = 4; break;
      default: return std::nullopt;
    }
    if (size > bytes.size()) return std::nullopt;
    fields.push_back({*tag, std::string(bytes.substr(0, size))});
    bytes.remove_prefix(size);
  }
  return fields;
}

inline std::string proto_bytes(const std::vector<ProtoField>& fields) {
  std::string bytes;
  for (const ProtoField& field : fields) {
    bytes += varint(field.tag);
    if ((field.tag & 7) == 2) bytes += varint(field.value.size());
    bytes += field.value;
  }
  return bytes;
}

class Damage {
 public:
  // One message in `rarity` is damaged; `others` outlives this.
  Damage(std::uint64_t seed, std::uint64_t rarity, const std::vector<Wired>& others)
      : rng_(seed), rarity_(rarity), others_(others) {}

  // What goes out in place of a message: that, nothing, or it and others.
  std::vector<Wired> operator()(Wired message) {
    std::vector<Wired> out;
    if (rng_.below(rarity_) != 0) {
      out.push_back(std::move(message));
    } else {
      damage_order(std::move(message), out);
    }
    if (held_ && !out.empty()) out.push_back(*std::exchange(held_, std::nullopt));
    return out;
  }

  // Changes of its frames and their bytes only.
  Wired change(Wired message) {
    for (std::uint64_t changes = 1 + rng_.below(3); changes > 0; --changes) change_once(message);
    return message;
  }

  void change_bytes(std::string& bytes) {
    const std::size_t at = rng_.below(bytes.size() + 1);
    const std::size_t count = 1 + rng_.below(16);
    switch (rng_.below(6)) {
      case 0: bytes.resize(at); return;
      case 1: bytes.insert(at, count, static_cast<char>(rng_.next())); return;
      case 2: bytes.erase(at, count); return;
      case 3: bytes.insert(at, bytes.substr(rng_.below(bytes.size() + 1), count)); return;
      case 4: overwrite(bytes, at, raw(odd_number())); return;
      default:
        if (at < bytes.size()) bytes[at] ^= static_cast<char>(1U << rng_.below(8));
    }
  }

  Rng& rng() { return rng_; }

 private:
  void damage_order(Wired message, std::vector<Wired>& out) {
    switch (rng_.below(14)) {
      case 0: return;
      case 1: out.assign(2, message); return;
      case 2: out.push_back(other()); return;
      case 3: out = {other(), std::move(message)}; return;
      case 4:
        if (!held_) {  // it comes after the next
          held_ = std::move(message);
          return;
        }
        [[fallthrough]];
      case 5:
      case 6:
      case 7: out.push_back(change(std::move(message))); return;
      default:  // one field, so that it decodes as a rule
        if (!message.empty()) {
          std::string& frame = message[rng_.below(2) == 0 ? 0 : rng_.below(message.size())];
          frame = with_changed_field(frame);
        }
        out.push_back(std::move(message));
    }
  }

  const Wired& other() { return others_[rng_.below(others_.size())]; }

  void change_once(Wired& message) {
    if (message.empty()) message.emplace_back();
    const std::size_t one = rng_.below(message.size());
    const std::size_t two = rng_.below(message.size());
    const auto place = message.begin() + static_cast<std::ptrdiff_t>(one);
    switch (rng_.below(16)) {
      case 0: message.erase(place); return;
      case 1: message.insert(place, message[two]); return;
      case 2: std::swap(message[one], message[two]); return;
      case 3: message[one].clear(); return;
      case 4: {
        const Wired& from = other();
        if (!from.empty()) message.insert(place, from[rng_.below(from.size())]);
        return;
      }
      case 5: {
        const Wired& from = other();
        message.resize(one);
        if (from.size() > one) {
          message.insert(message.end(), from.begin() + static_cast<std::ptrdiff_t>(one),
                         from.end());
        }
        return;
      }
      case 6:
      case 7: change_bytes(message[one]); return;
      case 8: message[one] = with_changed_field(message[one]); return;
      default: message.front() = with_changed_field(message.front());
    }
  }

  std::string with_changed_field(const std::string& bytes) {
    auto fields = proto_fields(bytes);
    if (!fields || fields->empty()) {
      std::string changed = bytes;
      change_bytes(changed);
      return changed;
    }
    const std::size_t one = rng_.below(fields->size());
    const ProtoField field = (*fields)[one];
    const auto place = fields->begin() + static_cast<std::ptrdiff_t>(one);
    switch (rng_.below(8)) {
      case 0: fields->erase(place); break;
      case 1: fields->insert(place, rng_.below(8) == 0 ? 1000 : 1, field); break;
      case 2: std::swap((*fields)[one], (*fields)[rng_.below(fields->size())]); break;
      default: change_value((*fields)[one]);
    }
    return proto_bytes(*fields);
  }

  void change_value(ProtoField& field) {
    switch (field.tag & 7) {
      case 0: {
        std::string_view bytes = field.value;
        const std::uint64_t number = take_varint(bytes).value_or(0);
        const std::uint64_t near[] = {number + 1, number - 1, number ^ 1, number * 2};
        field.value = varint(rng_.below(3) == 0 ? near[rng_.below(4)] : odd_number());
        return;
      }
      case 2:
        if (field.value.empty()) {
          field.value.assign(rng_.below(16) == 0 ? 100'000 : 3, '\0');
        } else if (proto_fields(field.value) && rng_.below(5) != 0) {
          field.value = with_changed_field(field.value);
        } else {
          change_bytes(field.value);
        }
        return;
      default: overwrite(field.value, 0, raw(odd_number())); return;
    }
  }

  static std::string raw(std::uint64_t number) {
    return {reinterpret_cast<const char*>(&number), sizeof(number)};
  }
  static void overwrite(std::string& bytes, std::size_t at, const std::string& by) {
    bytes.replace(at, by.size(), by.substr(0, bytes.size() - at));
  }

  // Where integers and doubles come to their limits.
  std::uint64_t odd_number() {
    using Limits = std::numeric_limits<double>;
    constexpr double kDoubles[] = {
        -1, -0.0, 1e-310, 0.5, 1e9, 1e18, Limits::max(), Limits::infinity(), Limits::quiet_NaN()};
    if (rng_.below(3) == 0) {
      return std::bit_cast<std::uint64_t>(kDoubles[rng_.below(std::size(kDoubles))]);
    }
    const std::uint64_t power = std::uint64_t{1} << rng_.below(64);
    return power + rng_.below(3) - 1;
  }

  Rng rng_;
  const std::uint64_t rarity_;
  const std::vector<Wired>& others_;
  std::optional<Wired> held_;
};

}  // namespace lingua::testing
