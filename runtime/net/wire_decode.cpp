#include <cmath>
#include <cstring>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/net/wire_values.h"

namespace lingua::internal {
namespace {

// Smaller tensors are copied: sharing would keep a whole receive buffer alive.
constexpr std::size_t kShareBytes = 4096;
constexpr std::size_t kShareAlignment = 8;
constexpr double kFarTime = 1e12;

// Takes an envelope and its further frames apart.
class BodyDecoder {
 public:
  BodyDecoder(const wire::Envelope& envelope, const std::vector<Frame>& frames)
      : envelope_(envelope), frames_(frames) {}

  MessageBody decode() {
    MessageBody body = dispatch();
    if (next_ != frames_.size()) {
      refuse("frames", fmt::format("{} frames; {} were expected", frames_.size(), next_));
    }
    return body;
  }

 private:
  MessageBody dispatch() {
    using Case = wire::Envelope::BodyCase;
    switch (envelope_.body_case()) {
      case Case::kPrepare: return prepare(envelope_.prepare());
      case Case::kWeightChunk: return weight_chunk(envelope_.weight_chunk());
      case Case::kWeightAck: return weight_ack(envelope_.weight_ack());
      case Case::kReady:
        return Ready{envelope_.ready().epoch(),
                     not_negative("free_bytes", envelope_.ready().free_bytes())};
      case Case::kFailed: return Failed{envelope_.failed().epoch(), envelope_.failed().reason()};
      case Case::kSubmit: return submit(envelope_.submit());
      case Case::kActivations: return activations(envelope_.activations());
      case Case::kStepResult: return step_result(envelope_.step_result());
      case Case::kTogether: return together(envelope_.together());
      case Case::kTokenMade: return token_made(envelope_.token_made());
      case Case::kDone: return done(envelope_.done());
      case Case::kCancel: return Cancel{envelope_.cancel().request()};
      case Case::kRelease: return Release{envelope_.release().request()};
      case Case::kAskEvents: return AskEvents{};
      case Case::kEvents: return events(envelope_.events());
      case Case::kProbe: return Probe{envelope_.probe().epoch()};
      case Case::kReached: return Reached{envelope_.reached().epoch(), envelope_.reached().from()};
      case Case::kLinkLost:
        return LinkLost{envelope_.link_lost().epoch(), envelope_.link_lost().peer(),
                        envelope_.link_lost().reason()};
      case Case::kLacks: return lacks(envelope_.lacks());
      case Case::kSegmentProgram: return segment_program(envelope_.segment_program());
      case Case::kRetire: return Retire{envelope_.retire().epoch()};
      case Case::kSendWeights: return send_weights(envelope_.send_weights());
      case Case::kWeightHeld: return weight_held(envelope_.weight_held());
      case Case::kExercise: return decode_exercise(envelope_.exercise());
      case Case::kExercised: return decode_exercise(envelope_.exercised());
      case Case::kExerciseLink: return decode_exercise(envelope_.exercise_link());
      case Case::kEcho: return decode_exercise(envelope_.echo());
      case Case::kBulk: return bulk(envelope_.bulk());
      case Case::kLinkTimes: return decode_exercise(envelope_.link_times());
      case Case::kSuspend:
        return Suspend{envelope_.suspend().epoch(), envelope_.suspend().request(),
                       envelope_.suspend().keep(), envelope_.suspend().next()};
      case Case::kSuspended: return suspended(envelope_.suspended());
      case Case::kSendStates: return send_states(envelope_.send_states());
      case Case::kStateChunk: return state_chunk(envelope_.state_chunk());
      case Case::kStateAck: return state_ack(envelope_.state_ack());
      case Case::kStatesHeld:
        return StatesHeld{envelope_.states_held().epoch(), envelope_.states_held().from(),
                          envelope_.states_held().request(), envelope_.states_held().trouble()};
      case Case::kRequestRefused:
        return Refused{envelope_.request_refused().request(), envelope_.request_refused().reason()};
      case Case::kAskStanding: return AskStanding{};
      case Case::kStanding: return standing(envelope_.standing());
      case Case::kHello: return Hello{decode_device_spec(envelope_.hello())};
      case Case::kAskTelemetry: return AskTelemetry{};
      case Case::kTelemetry: return telemetry(envelope_.telemetry());
      case Case::kWorkReport: return work_report(envelope_.work_report());
      case Case::kStop: return Stop{};
      case Case::kPeerLost: return PeerLost{envelope_.peer_lost().reason()};
      default: break;
    }
    refuse("kind", is_transport(envelope_) ? "only the transport may send it" : "it is not known");
  }

  const Frame& take() {
    if (next_ >= frames_.size()) {
      refuse("frames", fmt::format("{} frames; more were expected", frames_.size()));
    }
    return frames_[next_++];
  }

  // Refuses a count of frames before anything is made for them.
  int frames_left(const char* field, int count) const {
    return static_cast<int>(
        in_range(field, count, 0, static_cast<std::int64_t>(frames_.size() - next_)));
  }

  template <class Proto>
  void parse(Proto* out) {
    const Frame& frame = take();
    if (frame.bytes.size() > kMaxControlBytes ||
        !out->ParseFromArray(frame.bytes.data(), static_cast<int>(frame.bytes.size()))) {
      refuse("frame",
             fmt::format("its {} bytes are no {}", frame.bytes.size(), out->GetTypeName()));
    }
  }

  Tensor tensor(const wire::Tensor& in) {
    Tensor tensor;
    tensor.dtype = decode_dtype(in.dtype());
    tensor.shape = decode_shape(in.shape(), tensor.dtype, 0);
    if (!in.has_data()) return tensor;
    const Frame& frame = take();
    const auto bytes = static_cast<std::size_t>(tensor.bytes());
    if (frame.bytes.size() != bytes) {
      refuse("tensor",
             fmt::format("{} bytes; its dtype and shape need {}", frame.bytes.size(), bytes));
    }
    const auto* data = reinterpret_cast<const std::byte*>(frame.bytes.data());
    if (frame.owner != nullptr && bytes >= kShareBytes &&
        reinterpret_cast<std::uintptr_t>(data) % kShareAlignment == 0) {
      tensor.data = std::shared_ptr<const std::byte>(frame.owner, data);
      return tensor;
    }
    auto memory = allocate_bytes(tensor.bytes());
    if (bytes > 0) std::memcpy(memory.get(), data, bytes);
    tensor.data = std::move(memory);
    return tensor;
  }

  template <class Tensors>
  std::vector<Tensor> tensors(const Tensors& in) {
    std::vector<Tensor> out;
    for (const wire::Tensor& item : in) out.push_back(tensor(item));
    return out;
  }

  Prepare prepare(const wire::Prepare& in) {
    Prepare m;
    m.epoch = in.epoch();
    for (const wire::SegmentRun& run : in.runs()) m.runs.push_back({run.first(), run.last()});
    for (const wire::Route& route : in.routes()) {
      m.routes.push_back({route.value(), {route.to().begin(), route.to().end()}});
    }
    for (const auto& spec : in.model_inputs()) m.model_inputs.push_back(decode_tensor_spec(spec));
    m.model_outputs.assign(in.model_outputs().begin(), in.model_outputs().end());
    m.header = in.header();
    m.tailer = in.tailer();
    if (in.has_computing()) m.computing = decode_computing(in.computing());
    if (in.segmentation().size() > kMaxDigest) refuse("segmentation", "it is no digest");
    m.segmentation = one_line(in.segmentation());
    m.senders.assign(in.senders().begin(), in.senders().end());
    if (in.has_scheduling()) m.scheduling = scheduling(in.scheduling());
    m.stages = static_cast<int>(in_range("stages", in.stages(), 1, INT32_MAX));
    m.replaces_all = in.replaces_all();
    if (in.has_measuring()) m.measuring = measuring(in.measuring());
    if (in.has_communication()) m.communication = communication(in.communication());
    for (const auto& spec : in.passing()) m.passing.push_back(decode_tensor_spec(spec));
    const int segments = frames_left("segments", in.segments());
    for (int i = 0; i < segments; ++i) {
      wire::SegmentSpec spec;
      parse(&spec);
      m.segments.push_back(decode_segment(spec));
      for (const wire::WeightSpec& weight : spec.weights()) {
        if (weight.digest().empty()) continue;
        const auto digest = digest_from(weight.digest());
        if (!digest) refuse("digest", "it has not 32 bytes");
        m.digests.emplace(weight.name(), *digest);
      }
    }
    m.has_data = in.has_data();
    return m;
  }

  static Scheduling scheduling(const wire::Scheduling& in) {
    return {static_cast<Policy>(
                in_range("policy", in.policy(), 0, static_cast<int>(Policy::kShortestFirst))),
            static_cast<int>(in_range("max_batch", in.max_batch(), 1, INT32_MAX)),
            in_range("chunk", in.chunk(), kAutoChunk, kMaxDim)};
  }

  static Communication communication(const wire::Communication& in) {
    return {
        static_cast<WireType>(in_range("wire", in.wire(), 0, static_cast<int>(WireType::kInt8))),
        static_cast<ResidualPath>(
            in_range("residuals", in.residuals(), 0, static_cast<int>(ResidualPath::kRelay))),
        in.share_frames()};
  }

  static Lacks lacks(const wire::Lacks& in) {
    Lacks m;
    m.epoch = in.epoch();
    m.programs.assign(in.programs().begin(), in.programs().end());
    m.weights.assign(in.weights().begin(), in.weights().end());
    return m;
  }

  SegmentProgram segment_program(const wire::SegmentProgram& in) {
    return {in.epoch(), in.segment(), std::string(take().bytes)};
  }

  WeightChunk weight_chunk(const wire::WeightChunk& in) {
    WeightChunk m;
    m.epoch = in.epoch();
    m.weight = in.weight();
    m.offset = in_range("offset", in.offset(), 0, kMaxTensorBytes);
    m.bytes = tensor(in.piece());
    if (m.bytes.dtype != DType::kUInt8 || m.bytes.shape.size() != 1) {
      refuse("piece", "a piece of a weight must be uint8 with one dimension");
    }
    m.checksum = in.checksum();
    return m;
  }

  WeightAck weight_ack(const wire::WeightAck& in) {
    return {in.epoch(), in.weight(), in_range("offset", in.offset(), 0, kMaxTensorBytes)};
  }

  static SendWeights send_weights(const wire::SendWeights& in) {
    return {in.epoch(),
            in.to(),
            {in.weights().begin(), in.weights().end()},
            in_range("chunk_bytes", in.chunk_bytes(), 1, kMaxTensorBytes),
            in_range("window", in.window(), 1, kMaxDim),
            not_negative("bytes_per_s", in.bytes_per_s())};
  }

  static WeightHeld weight_held(const wire::WeightHeld& in) {
    return {in.epoch(), in.from(), in.weight(), in_range("bytes", in.bytes(), 0, kMaxTensorBytes),
            in.trouble()};
  }

  static Suspended suspended(const wire::Suspended& in) {
    return {in.epoch(), in.request(), in_range("cached", in.cached(), 0, kMaxDim)};
  }

  static SendStates send_states(const wire::SendStates& in) {
    SendStates m;
    m.epoch = in.epoch();
    m.to = in.to();
    m.segments.assign(in.segments().begin(), in.segments().end());
    for (const wire::StateRange& range : in.ranges()) {
      const std::int64_t capacity = in_range("capacity", range.capacity(), 0, kMaxDim);
      const std::int64_t first = in_range("first", range.first(), 0, capacity);
      m.ranges.push_back(
          {range.request(), capacity, first, in_range("end", range.end(), first, capacity)});
    }
    m.chunk_bytes = in_range("chunk_bytes", in.chunk_bytes(), 1, kMaxTensorBytes);
    m.window = in_range("window", in.window(), 1, kMaxDim);
    m.bytes_per_s = not_negative("bytes_per_s", in.bytes_per_s());
    m.beside = in.beside();
    return m;
  }

  StateChunk state_chunk(const wire::StateChunk& in) {
    StateChunk m;
    m.epoch = in.epoch();
    m.request = in.request();
    m.segment = in.segment();
    m.capacity = in_range("capacity", in.capacity(), 0, kMaxDim);
    m.first = in_range("first", in.first(), 0, m.capacity);
    m.tokens = in_range("tokens", in.tokens(), 0, m.capacity - m.first);
    m.states = tensors(in.states());
    m.last = in.last();
    return m;
  }

  Bulk bulk(const wire::Bulk& in) {
    Bulk m = decode_exercise(in);
    m.data = tensor(in.data());
    return m;
  }

  static StateAck state_ack(const wire::StateAck& in) {
    return {in.epoch(), in.request(), in.segment(), in_range("first", in.first(), 0, kMaxDim)};
  }

  Submit submit(const wire::Submit& in) {
    Submit m;
    m.request = in.request();
    m.inputs = tensors(in.inputs());
    m.max_tokens = in_range("max_tokens", in.max_tokens(), 0, kMaxDim);
    m.capacity = in_range("capacity", in.capacity(), 0, kMaxDim);
    m.kv_cache = in.kv_cache();
    m.stop_tokens.assign(in.stop_tokens().begin(), in.stop_tokens().end());
    if (in.has_sampling()) m.sampling = sampling(in.sampling());
    m.epoch = in.epoch();
    m.made.assign(in.made().begin(), in.made().end());
    if (in.has_started_s())
      m.started = Seconds(real("started_s", in.started_s(), -kFarTime, kFarTime));
    m.cached = in_range("cached", in.cached(), 0, kMaxDim);
    return m;
  }

  // A number that must be finite and from `low` to `high`.
  double real(const char* field, double value, double low, double high) const {
    if (!(value >= low && value <= high)) refuse(field, fmt::format("{} is out of range", value));
    return value;
  }

  Sampling sampling(const wire::Sampling& in) {
    constexpr double kMost = 1e9;
    Sampling m;
    m.temperature = real("temperature", in.temperature(), 0, kMost);
    m.top_k = in_range("top_k", in.top_k(), 0, kMaxDim);
    m.top_p = real("top_p", in.top_p(), 0, 1);
    m.repetition_penalty = real("repetition_penalty", in.repetition_penalty(), 0, kMost);
    m.repetition_window = in_range("repetition_window", in.repetition_window(), 0, kMaxDim);
    m.seed = in.seed();
    return m;
  }

  Activations activations(const wire::Activations& in) {
    Activations m;
    m.epoch = in.epoch();
    m.request = in.request();
    m.step_index = in_range("step_index", in.step_index(), 0, kMaxDim);
    m.step.new_tokens = in_range("new_tokens", in.step().new_tokens(), 0, kMaxDim);
    m.step.cached_tokens = in_range("cached_tokens", in.step().cached_tokens(), 0, kMaxDim);
    m.capacity = in_range("capacity", in.capacity(), 0, kMaxDim);
    if (in.values_size() != in.tensors_size()) {
      refuse("values",
             fmt::format("{} of them for {} tensors", in.values_size(), in.tensors_size()));
    }
    m.values.assign(in.values().begin(), in.values().end());
    m.tensors = tensors(in.tensors());
    if (in.has_sampling()) m.sampling = sampling(in.sampling());
    m.recent.assign(in.recent().begin(), in.recent().end());
    m.prompt_goes_on = in.prompt_goes_on();
    return m;
  }

  StepResult step_result(const wire::StepResult& in) {
    StepResult m;
    m.epoch = in.epoch();
    m.request = in.request();
    m.step_index = in_range("step_index", in.step_index(), 0, kMaxDim);
    m.token = in.token();
    m.outputs = tensors(in.outputs());
    return m;
  }

  Together together(const wire::Together& in) {
    Together m;
    m.epoch = in.epoch();
    if (in.activations().empty() && in.results().empty()) refuse("together", "it is empty");
    for (const auto& each : in.activations()) {
      m.activations.push_back(activations(each));
      m.activations.back().epoch = m.epoch;
    }
    for (const auto& each : in.results()) {
      m.results.push_back(step_result(each));
      m.results.back().epoch = m.epoch;
    }
    return m;
  }

  TokenMade token_made(const wire::TokenMade& in) {
    return {in.request(), in_range("index", in.index(), 0, kMaxDim), in.token()};
  }

  Done done(const wire::Done& in) {
    Done m;
    m.request = in.request();
    m.tokens.assign(in.tokens().begin(), in.tokens().end());
    m.outputs = tensors(in.outputs());
    m.ending = static_cast<Ending>(
        in_range("ending", in.ending(), 0, static_cast<int>(Ending::kCancelled)));
    return m;
  }

  Standing standing(const wire::Standing& in) {
    Standing m;
    m.busy = in.busy();
    m.sent = in_range("sent", in.sent(), 0, kMaxDim);
    m.received = in_range("received", in.received(), 0, kMaxDim);
    m.waits_for = in.waits_for();
    return m;
  }

  Events events(const wire::Events& in) {
    Events m;
    m.early = in.early();
    m.peak_memory_bytes = not_negative("peak_memory_bytes", in.peak_memory_bytes());
    const int pages = frames_left("pages", in.pages());
    for (int i = 0; i < pages; ++i) {
      wire::EventPage page;
      parse(&page);
      in_range("rows", page.rows_size(), 0, kEventsPerPage);
      for (const wire::EventRow& row : page.rows()) m.rows.push_back(decode_row(row));
    }
    return m;
  }

  static double battery_of(const wire::Telemetry& in) {
    return in.has_battery() ? in.battery() : Telemetry().battery;
  }

  // What it says is not refused here, whatever it is: who reads it judges (balance/monitor.h), and a device that
  // measures badly computes on.
  static WorkReport work_report(const wire::WorkReport& in) {
    const auto time = [](const wire::WorkTime& from) {
      return WorkTime{from.runs(), from.expected_s(), from.measured_s()};
    };
    WorkReport m{in.epoch(), time(in.prompts()), time(in.tokens()), {}, in.queued(), {}};
    for (const wire::LinkTime& link : in.links())
      m.links.push_back({link.from(), link.messages(), link.size(), link.seconds()});
    m.telemetry = {in.telemetry().free_memory_bytes(), in.telemetry().temperature_c(),
                   battery_of(in.telemetry()), in.telemetry().load()};
    return m;
  }

  Measuring measuring(const wire::Measuring& in) {
    return {Seconds(not_negative("every", in.every_s())),
            not_negative("flops_per_s", in.flops_per_s()),
            not_negative("memory_bytes_per_s", in.memory_bytes_per_s()),
            Seconds(not_negative("overhead", in.overhead_s()))};
  }

  TelemetryReport telemetry(const wire::Telemetry& in) {
    return {{not_negative("free_memory_bytes", in.free_memory_bytes()),
             finite("temperature_c", in.temperature_c()), finite("battery", battery_of(in)),
             finite("load", in.load())}};
  }

  const wire::Envelope& envelope_;
  const std::vector<Frame>& frames_;
  std::size_t next_ = 1;
};

}  // namespace

void parse_envelope(std::string_view bytes, wire::Envelope* envelope) {
  if (bytes.size() > kMaxControlBytes ||
      !envelope->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    refuse("frame 0", fmt::format("its {} bytes are no envelope", bytes.size()));
  }
}

Message decode_body(const wire::Envelope& envelope, const std::vector<Frame>& frames) {
  Message message;
  message.sent = Seconds(finite("sent", envelope.sent_s()));
  message.body = BodyDecoder(envelope, frames).decode();
  for (const Frame& frame : frames) message.wire_bytes += static_cast<double>(frame.bytes.size());
  return message;
}

}  // namespace lingua::internal
