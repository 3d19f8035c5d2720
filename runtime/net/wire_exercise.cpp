#include "runtime/net/wire_values.h"

namespace lingua::internal {
namespace {

// Counts that orders and answers have in common, which are small.
int count_of(const char* field, std::int64_t value, std::int64_t low = 0) {
  return static_cast<int>(in_range(field, value, low, kMostTimes));
}

std::uint32_t fixed(std::int64_t value) { return static_cast<std::uint32_t>(value); }

std::vector<double> decode_times(const char* field,
                                 const google::protobuf::RepeatedField<double>& in) {
  count_of(field, in.size());
  for (const double time : in) finite(field, time);
  return {in.begin(), in.end()};
}

}  // namespace

void fill_exercise(const Exercise& m, wire::Exercise* out) {
  out->set_number(m.number);
  out->set_kind(static_cast<int>(m.kind));
  out->set_dtype(static_cast<int>(m.dtype));
  fill_computing(m.computing, out->mutable_computing());
  out->set_seconds(m.time.count());
}

void fill_exercise(const Exercised& m, wire::Exercised* out) {
  out->set_number(m.number);
  for (const double time : m.times_s) out->add_times_s(time);
  for (const std::int64_t repeats : m.repeats) out->add_repeats(repeats);
  out->set_memory_bytes(m.memory_bytes);
  out->set_trouble(m.trouble);
}

void fill_exercise(const ExerciseLink& m, wire::ExerciseLink* out) {
  out->set_number(m.number);
  out->set_to(m.to);
  out->set_blocks(m.blocks);
  out->set_block_bytes(m.block_bytes);
  out->set_echoes(m.echoes);
}

void fill_exercise(const Echo& m, wire::Echo* out) {
  out->set_number(fixed(m.number));
  out->set_index(fixed(m.index));
  out->set_is_back(m.is_back);
}

void fill_exercise(const Bulk& m, wire::Bulk* out) {
  out->set_number(fixed(m.number));
  out->set_index(fixed(m.index));
  out->set_blocks(fixed(m.blocks));
}

void fill_exercise(const LinkTimes& m, wire::LinkTimes* out) {
  out->set_number(m.number);
  out->set_peer(m.peer);
  for (const double time : m.echoes_s) out->add_echoes_s(time);
  for (const double time : m.arrivals_s) out->add_arrivals_s(time);
  out->set_message_bytes(m.message_bytes);
}

Exercise decode_exercise(const wire::Exercise& in) {
  Exercise m;
  m.number = in.number();
  m.kind = static_cast<ExertionKind>(in_range("kind", in.kind(), 0, kExertionKinds - 1));
  m.dtype = decode_dtype(in.dtype());
  m.computing = decode_computing(in.computing());
  m.time = Seconds(not_negative("seconds", in.seconds()));
  if (m.time > kLongestExercise)
    refuse("seconds", fmt::format("{} is more than {}", m.time.count(), kLongestExercise.count()));
  return m;
}

Exercised decode_exercise(const wire::Exercised& in) {
  Exercised m;
  m.number = in.number();
  m.times_s = decode_times("times", in.times_s());
  if (in.repeats_size() != in.times_s_size()) {
    refuse("repeats", fmt::format("{} of them for {} times", in.repeats_size(), in.times_s_size()));
  }
  for (const std::int64_t repeats : in.repeats())
    m.repeats.push_back(in_range("repeats", repeats, 1, kMostRepeats));
  m.memory_bytes = not_negative("memory_bytes", in.memory_bytes());
  m.trouble = in.trouble();
  return m;
}

ExerciseLink decode_exercise(const wire::ExerciseLink& in) {
  return {in.number(), in.to(), count_of("blocks", in.blocks()),
          in_range("block_bytes", in.block_bytes(), 1, kMostBlockBytes),
          count_of("echoes", in.echoes())};
}

Echo decode_exercise(const wire::Echo& in) {
  return {in.number(), count_of("index", in.index()), in.is_back()};
}

Bulk decode_exercise(const wire::Bulk& in) {
  Bulk m;
  m.number = in.number();
  m.blocks = count_of("blocks", in.blocks(), 1);
  m.index = static_cast<int>(in_range("index", in.index(), 0, m.blocks - 1));
  return m;
}

LinkTimes decode_exercise(const wire::LinkTimes& in) {
  LinkTimes m;
  m.number = in.number();
  m.peer = in.peer();
  m.echoes_s = decode_times("echoes", in.echoes_s());
  m.arrivals_s = decode_times("arrivals", in.arrivals_s());
  m.message_bytes = not_negative("message_bytes", in.message_bytes());
  return m;
}

}  // namespace lingua::internal
