#include "runtime/supply/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/random.h"
#include "runtime/base/units.h"

namespace lingua {
namespace {

constexpr int kMostChanges = 1'000'000;
constexpr Seconds kLeastSpan{1e-3};

// The fields of a specification, read in their order.
class Fields {
 public:
  // `names`: "slow:DEVICE:TIME:FACTOR". Errors: UsageError when there are more or fewer.
  Fields(std::string_view text, std::string_view names)
      : text_(text), names_(names), left_(text), names_left_(names) {
    if (std::count(text.begin(), text.end(), ':') != std::count(names.begin(), names.end(), ':'))
      throw refused("has not as many fields");
    take();  // what it is
  }

  DeviceName device(const ClusterSpec& cluster) {
    const DeviceName name(take());
    if (cluster.index_of(name) < 0)
      throw refused(fmt::format("{} has no device '{}' ({})", cluster.name, one_line(name, 60),
                                cluster.names()));
    return name;
  }
  Seconds time() { return Seconds(number(Unit::kSeconds, 0, kMostSupplySeconds)); }
  Seconds span() { return Seconds(number(Unit::kSeconds, kLeastSpan.count(), kMostSupplySeconds)); }
  double factor(double most = kMostSupplyFactor) {
    return number(Unit::kPlain, kLeastSupplyFactor, most);
  }

  UsageError refused(const std::string& why) const {
    return UsageError(fmt::format("'{}': {}; write {}", one_line(text_, 100), why, names_));
  }

  UsageError too_many() const {
    return refused(
        fmt::format("changes more than {} times, at most so many are taken", kMostChanges));
  }

 private:
  std::string_view take() {
    const auto next = [](std::string_view& left) {
      const std::string_view one = left.substr(0, left.find(':'));
      left.remove_prefix(std::min(left.size(), one.size() + 1));
      return one;
    };
    name_ = next(names_left_);
    return next(left_);
  }

  double number(Unit unit, double least, double most) {
    const std::string_view field = take();
    try {
      const double value = parse_quantity(field, unit);
      if (value >= least && value <= most) return value;
    } catch (const InputError&) {  // said below
    }
    throw refused(fmt::format("{} '{}' is not accepted: from {:g} to {:g}{}", name_,
                              one_line(field, 40), least, most,
                              unit == Unit::kSeconds ? " s, with its unit, as in 20s" : ""));
  }

  std::string_view text_;
  std::string_view names_;
  std::string_view left_;
  std::string_view names_left_;
  std::string_view name_;  // of the last field taken
};

using Make = void (*)(Fields& fields, const DeviceName& device, Rng& rng, SupplyTrace& supply);

void slow(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  const Seconds at = fields.time();
  supply.add(device, at, {.speed = fields.factor()});
}

void steps(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  constexpr double kMostFactor = 0.999;  // or it would take for ever
  Seconds at = fields.time();
  const Seconds every = fields.span();
  const double factor = fields.factor(kMostFactor);
  const double floor = fields.factor(1);
  for (double speed = 1; speed > floor; at += every) {
    speed = std::max(speed * factor, floor);
    supply.add(device, at, {.speed = speed});
  }
}

void hard_floor(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  const Seconds at = fields.time();
  supply.add(device, at, {.speed = fields.factor()});
  supply.add(device, at + fields.span(), {.speed = 1});
}

void background(Fields& fields, const DeviceName& device, Rng& rng, SupplyTrace& supply) {
  const double factor = fields.factor();
  const Seconds away = fields.span();
  const Seconds there = fields.span();
  const Seconds until = fields.time();
  int changes = 0;
  for (Seconds now{0};;) {
    now += away * rng.exponential();
    if (now >= until) return;
    if (++changes > kMostChanges / 2) throw fields.too_many();
    supply.add(device, now, {.speed = factor});
    now = std::min(now + there * rng.exponential(), until);
    supply.add(device, now, {.speed = 1});
  }
}

void bandwidth(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  const Seconds at = fields.time();
  supply.add(device, at, {.bandwidth = fields.factor()});
}

void fading(Fields& fields, const DeviceName& device, Rng& rng, SupplyTrace& supply) {
  const Seconds every = fields.span();
  const double least = fields.factor(1);
  const Seconds until = fields.time();
  if (until / every > kMostChanges) throw fields.too_many();
  for (int k = 0; every * k < until; ++k)
    supply.add(device, every * k, {.bandwidth = rng.uniform(least, 1)});
  supply.add(device, until, {.bandwidth = 1});
}

void leaves(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  supply.add(device, fields.time(), {.present = false});
}

void joins(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  supply.add(device, Seconds(0), {.present = false});
  supply.add(device, fields.time(), {.present = true});
}

void away(Fields& fields, const DeviceName& device, Rng&, SupplyTrace& supply) {
  const Seconds at = fields.time();
  supply.add(device, at, {.present = false});
  supply.add(device, at + fields.span(), {.present = true});
}

struct Form {
  std::string_view fields;
  Make make;

  bool begins(std::string_view text) const {
    return text.starts_with(fields.substr(0, fields.find(':') + 1));
  }
};
constexpr std::array kForms = {
    Form{"slow:DEVICE:TIME:FACTOR", slow},
    Form{"steps:DEVICE:TIME:EVERY:FACTOR:FLOOR", steps},
    Form{"floor:DEVICE:TIME:FLOOR:SPAN", hard_floor},
    Form{"background:DEVICE:FACTOR:AWAY:THERE:UNTIL", background},
    Form{"bandwidth:DEVICE:TIME:FACTOR", bandwidth},
    Form{"fading:DEVICE:EVERY:LEAST:UNTIL", fading},
    Form{"leaves:DEVICE:TIME", leaves},
    Form{"joins:DEVICE:TIME", joins},
    Form{"away:DEVICE:TIME:SPAN", away},
};

}  // namespace

bool is_supply_spec(std::string_view text) {
  return std::any_of(kForms.begin(), kForms.end(),
                     [&](const Form& form) { return form.begins(text); });
}

SupplyTrace generate_supply(std::string_view text, const ClusterSpec& cluster, std::uint64_t seed) {
  const auto form =
      std::find_if(kForms.begin(), kForms.end(), [&](const Form& one) { return one.begins(text); });
  if (form == kForms.end()) {
    std::string forms;
    for (const Form& one : kForms)
      forms += fmt::format("{}{}", forms.empty() ? "" : ", ", one.fields);
    throw UsageError(
        fmt::format("'{}' is no supply; write a file, or one of {}", one_line(text, 60), forms));
  }
  SupplyTrace supply;
  supply.name = one_line(text);
  supply.source = fmt::format("{}, seed {}", supply.name, seed);
  Rng rng(seed);
  Fields fields(text, form->fields);
  const DeviceName device = fields.device(cluster);
  form->make(fields, device, rng, supply);
  const std::vector<Seconds> times = change_times(supply);
  if (!times.empty() && times.back() > Seconds(kMostSupplySeconds))
    throw fields.refused(fmt::format("lasts longer than {} s", kMostSupplySeconds));
  return supply;
}

}  // namespace lingua
