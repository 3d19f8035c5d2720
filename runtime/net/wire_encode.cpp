#include <limits>
#include <type_traits>
#include <variant>

#include "runtime/base/errors.h"
#include "runtime/net/wire_internal.h"

namespace lingua::internal {
namespace {

void fill_function(const StepFunction& function, wire::StepFunction* out) {
  if (function == StepFunction()) return;
  for (double coefficient : function.coefficients()) out->add_coefficients(coefficient);
}

void fill_tensor_spec(const TensorSpec& spec, wire::TensorSpec* out) {
  out->set_value(spec.value);
  out->set_name(spec.name);
  out->set_dtype(static_cast<int>(spec.dtype));
  out->set_is_tensor(spec.is_tensor);
  for (const StepFunction& dim : spec.dims) fill_function(dim, out->add_dims());
  fill_function(spec.bytes, out->mutable_size());
}

void fill_telemetry(const Telemetry& telemetry, wire::Telemetry* out) {
  out->set_free_memory_bytes(telemetry.free_memory_bytes);
  out->set_temperature_c(telemetry.temperature_c);
  out->set_battery(telemetry.battery);
  out->set_load(telemetry.load);
}

void fill_segment(const Segment& segment, wire::SegmentSpec* out) {
  out->set_id(segment.id);
  out->set_name(segment.name);
  out->set_first_node(segment.first_node);
  out->set_last_node(segment.last_node);
  for (NodeId node : segment.recomputed) out->add_recomputed(node);
  for (StepScalar scalar : segment.step_scalars) out->add_step_scalars(static_cast<int>(scalar));
  for (const TensorSpec& spec : segment.inputs) fill_tensor_spec(spec, out->add_inputs());
  for (const StateSpec& spec : segment.state) {
    wire::StateSpec* state = out->add_state();
    state->set_value(spec.value);
    state->set_name(spec.name);
    state->set_dtype(static_cast<int>(spec.dtype));
    for (std::int64_t dim : spec.shape) state->add_shape(dim);
  }
  for (const WeightSpec& spec : segment.weights) {
    wire::WeightSpec* weight = out->add_weights();
    weight->set_name(spec.name);
    weight->set_dtype(static_cast<int>(spec.dtype));
    for (std::int64_t dim : spec.shape) weight->add_shape(dim);
  }
  for (const TensorSpec& spec : segment.outputs) fill_tensor_spec(spec, out->add_outputs());
  fill_function(segment.flops, out->mutable_flops());
  fill_function(segment.bytes_moved, out->mutable_bytes_moved());
  out->set_weights_read(segment.weights_read);
  for (const StepFunction& bytes : segment.inner_bytes)
    fill_function(bytes, out->add_inner_bytes());
}

// Fills an envelope from a body; see fill_envelope.
class BodyEncoder {
 public:
  BodyEncoder(wire::Envelope* envelope, std::vector<Frame>* extra)
      : envelope_(envelope), extra_(extra) {}

  double extra_bytes() const { return extra_bytes_; }

  void operator()(const Prepare& m) {
    wire::Prepare* out = envelope_->mutable_prepare();
    out->set_epoch(m.epoch);
    out->set_segments(static_cast<int>(m.segments.size()));
    for (const SegmentRun& run : m.runs) {
      wire::SegmentRun* to = out->add_runs();
      to->set_first(run.first);
      to->set_last(run.last);
    }
    out->set_has_data(m.has_data);
    for (const Route& route : m.routes) {
      wire::Route* to = out->add_routes();
      to->set_value(route.value);
      for (const DeviceName& name : route.to) to->add_to(name);
    }
    for (const TensorSpec& spec : m.model_inputs) fill_tensor_spec(spec, out->add_model_inputs());
    for (ValueId value : m.model_outputs) out->add_model_outputs(value);
    out->set_header(m.header);
    out->set_tailer(m.tailer);
    if (m.computing != Computing{}) fill_computing(m.computing, out->mutable_computing());
    out->set_segmentation(m.segmentation);
    for (const DeviceName& name : m.senders) out->add_senders(name);
    if (m.scheduling != Scheduling{}) {
      out->mutable_scheduling()->set_policy(static_cast<int>(m.scheduling.policy));
      out->mutable_scheduling()->set_max_batch(m.scheduling.max_batch);
      out->mutable_scheduling()->set_chunk(m.scheduling.chunk);
    }
    out->set_stages(m.stages);
    out->set_replaces_all(m.replaces_all);
    if (m.measuring != Measuring{}) {
      wire::Measuring* measuring = out->mutable_measuring();
      measuring->set_every_s(m.measuring.every.count());
      measuring->set_flops_per_s(m.measuring.flops_per_s);
      measuring->set_memory_bytes_per_s(m.measuring.memory_bytes_per_s);
      measuring->set_overhead_s(m.measuring.overhead.count());
    }
    if (m.communication != Communication{}) {
      out->mutable_communication()->set_wire(static_cast<int>(m.communication.wire));
      out->mutable_communication()->set_residuals(static_cast<int>(m.communication.residuals));
      out->mutable_communication()->set_share_frames(m.communication.share_frames);
    }
    for (const TensorSpec& spec : m.passing) fill_tensor_spec(spec, out->add_passing());
    for (const Segment& segment : m.segments) {
      wire::SegmentSpec spec;
      fill_segment(segment, &spec);
      for (wire::WeightSpec& weight : *spec.mutable_weights()) {
        const auto digest = m.digests.find(weight.name());
        if (digest == m.digests.end()) continue;
        weight.set_digest(digest->second.bytes.data(), digest->second.bytes.size());
      }
      add_control(spec);
    }
  }

  void operator()(const Lacks& m) {
    wire::Lacks* out = envelope_->mutable_lacks();
    out->set_epoch(m.epoch);
    for (SegmentId segment : m.programs) out->add_programs(segment);
    for (const std::string& weight : m.weights) out->add_weights(weight);
  }

  void operator()(const SegmentProgram& m) {
    wire::SegmentProgram* out = envelope_->mutable_segment_program();
    out->set_epoch(m.epoch);
    out->set_segment(m.segment);
    extra_bytes_ += static_cast<double>(m.program.size());
    if (extra_ == nullptr) return;
    auto copy = std::make_shared<const std::string>(m.program);
    extra_->push_back({*copy, copy});
  }

  void operator()(const Retire& m) { envelope_->mutable_retire()->set_epoch(m.epoch); }

  void operator()(const Refused& m) {
    envelope_->mutable_request_refused()->set_request(m.request);
    envelope_->mutable_request_refused()->set_reason(m.reason);
  }

  // Between a client and the coordinator, which are in one process.
  void operator()(const Attach&) { stays_here(); }
  void operator()(const Serving&) { stays_here(); }
  void operator()(const Detach&) { stays_here(); }

  void operator()(const WeightChunk& m) {
    wire::WeightChunk* out = envelope_->mutable_weight_chunk();
    out->set_epoch(m.epoch);
    out->set_weight(m.weight);
    out->set_offset(m.offset);
    add_tensor(m.bytes, out->mutable_piece());
    out->set_checksum(m.checksum);
  }

  void operator()(const WeightAck& m) {
    wire::WeightAck* out = envelope_->mutable_weight_ack();
    out->set_epoch(m.epoch);
    out->set_weight(m.weight);
    out->set_offset(m.offset);
  }

  void operator()(const SendWeights& m) {
    wire::SendWeights* out = envelope_->mutable_send_weights();
    out->set_epoch(m.epoch);
    out->set_to(m.to);
    for (const std::string& weight : m.weights) out->add_weights(weight);
    out->set_chunk_bytes(m.chunk_bytes);
    out->set_window(m.window);
    out->set_bytes_per_s(m.bytes_per_s);
  }

  void operator()(const WeightHeld& m) {
    wire::WeightHeld* out = envelope_->mutable_weight_held();
    out->set_epoch(m.epoch);
    out->set_from(m.from);
    out->set_weight(m.weight);
    out->set_bytes(m.bytes);
    out->set_trouble(m.trouble);
  }

  void operator()(const Suspend& m) {
    wire::Suspend* out = envelope_->mutable_suspend();
    out->set_epoch(m.epoch);
    out->set_request(m.request);
    out->set_keep(m.keep);
    out->set_next(m.next);
  }

  void operator()(const Suspended& m) {
    wire::Suspended* out = envelope_->mutable_suspended();
    out->set_epoch(m.epoch);
    out->set_request(m.request);
    out->set_cached(m.cached);
  }

  void operator()(const SendStates& m) {
    wire::SendStates* out = envelope_->mutable_send_states();
    out->set_epoch(m.epoch);
    out->set_to(m.to);
    for (const SegmentId segment : m.segments) out->add_segments(segment);
    for (const SendStates::Range& range : m.ranges) {
      wire::StateRange* to = out->add_ranges();
      to->set_request(range.request);
      to->set_capacity(range.capacity);
      to->set_first(range.first);
      to->set_end(range.end);
    }
    out->set_chunk_bytes(m.chunk_bytes);
    out->set_window(m.window);
    out->set_bytes_per_s(m.bytes_per_s);
    out->set_beside(m.beside);
  }

  void operator()(const StateChunk& m) {
    wire::StateChunk* out = envelope_->mutable_state_chunk();
    out->set_epoch(m.epoch);
    out->set_request(m.request);
    out->set_segment(m.segment);
    out->set_capacity(m.capacity);
    out->set_first(m.first);
    out->set_tokens(m.tokens);
    for (const Tensor& state : m.states) add_tensor(state, out->add_states());
    out->set_last(m.last);
  }

  void operator()(const StateAck& m) {
    wire::StateAck* out = envelope_->mutable_state_ack();
    out->set_epoch(m.epoch);
    out->set_request(m.request);
    out->set_segment(m.segment);
    out->set_first(m.first);
  }

  void operator()(const StatesHeld& m) {
    wire::StatesHeld* out = envelope_->mutable_states_held();
    out->set_epoch(m.epoch);
    out->set_from(m.from);
    out->set_request(m.request);
    out->set_trouble(m.trouble);
  }

  void operator()(const Ready& m) {
    envelope_->mutable_ready()->set_epoch(m.epoch);
    envelope_->mutable_ready()->set_free_bytes(m.free_bytes);
  }

  void operator()(const Failed& m) {
    envelope_->mutable_failed()->set_epoch(m.epoch);
    envelope_->mutable_failed()->set_reason(m.reason);
  }

  static void add_sampling(const Sampling& m, wire::Sampling* out) {
    out->set_temperature(m.temperature);
    out->set_top_k(m.top_k);
    out->set_top_p(m.top_p);
    out->set_repetition_penalty(m.repetition_penalty);
    out->set_repetition_window(m.repetition_window);
    out->set_seed(m.seed);
  }

  void operator()(const Submit& m) {
    wire::Submit* out = envelope_->mutable_submit();
    out->set_request(m.request);
    for (const Tensor& tensor : m.inputs) add_tensor(tensor, out->add_inputs());
    out->set_max_tokens(m.max_tokens);
    out->set_capacity(m.capacity);
    out->set_kv_cache(m.kv_cache);
    for (TokenId token : m.stop_tokens) out->add_stop_tokens(token);
    if (m.sampling != Sampling{}) add_sampling(m.sampling, out->mutable_sampling());
    out->set_epoch(m.epoch);
    for (TokenId token : m.made) out->add_made(token);
    if (m.started) out->set_started_s(m.started->count());
    out->set_cached(m.cached);
  }

  void operator()(const Activations& m) {
    wire::Activations* out = envelope_->mutable_activations();
    out->set_epoch(m.epoch);
    fill(m, out);
  }

  void operator()(const StepResult& m) {
    wire::StepResult* out = envelope_->mutable_step_result();
    out->set_epoch(m.epoch);
    fill(m, out);
  }

  void operator()(const Together& m) {
    wire::Together* out = envelope_->mutable_together();
    out->set_epoch(m.epoch);
    for (const Activations& activations : m.activations) fill(activations, out->add_activations());
    for (const StepResult& result : m.results) fill(result, out->add_results());
  }

  void operator()(const TokenMade& m) {
    wire::TokenMade* out = envelope_->mutable_token_made();
    out->set_request(m.request);
    out->set_index(m.index);
    out->set_token(m.token);
  }

  void operator()(const Done& m) {
    wire::Done* out = envelope_->mutable_done();
    out->set_request(m.request);
    out->set_ending(static_cast<int>(m.ending));
    for (TokenId token : m.tokens) out->add_tokens(token);
    for (const Tensor& tensor : m.outputs) add_tensor(tensor, out->add_outputs());
  }

  void operator()(const Cancel& m) { envelope_->mutable_cancel()->set_request(m.request); }

  void operator()(const Release& m) { envelope_->mutable_release()->set_request(m.request); }

  void operator()(const Probe& m) { envelope_->mutable_probe()->set_epoch(m.epoch); }

  void operator()(const Reached& m) {
    envelope_->mutable_reached()->set_epoch(m.epoch);
    envelope_->mutable_reached()->set_from(m.from);
  }

  void operator()(const LinkLost& m) {
    envelope_->mutable_link_lost()->set_epoch(m.epoch);
    envelope_->mutable_link_lost()->set_peer(m.peer);
    envelope_->mutable_link_lost()->set_reason(m.reason);
  }

  void operator()(const AskStanding&) { envelope_->mutable_ask_standing(); }

  void operator()(const Standing& m) {
    wire::Standing* out = envelope_->mutable_standing();
    out->set_busy(m.busy);
    out->set_sent(m.sent);
    out->set_received(m.received);
    out->set_waits_for(m.waits_for);
  }

  void operator()(const AskEvents&) { envelope_->mutable_ask_events(); }

  void operator()(const Events& m) {
    const std::size_t pages = (m.rows.size() + kEventsPerPage - 1) / kEventsPerPage;
    envelope_->mutable_events()->set_pages(static_cast<int>(pages));
    envelope_->mutable_events()->set_early(m.early);
    envelope_->mutable_events()->set_peak_memory_bytes(m.peak_memory_bytes);
    for (std::size_t page = 0; page < pages; ++page) {
      wire::EventPage out;
      const std::size_t first = page * kEventsPerPage;
      const std::size_t last = std::min(first + kEventsPerPage, m.rows.size());
      for (std::size_t i = first; i < last; ++i) fill_row(m.rows[i], out.add_rows());
      add_control(out);
    }
  }

  void operator()(const Hello& m) { fill_device_spec(m.spec, envelope_->mutable_hello()); }
  void operator()(const WorkReport& m) {
    const auto fill = [](const WorkTime& time, wire::WorkTime* out) {
      out->set_runs(time.runs);
      out->set_expected_s(time.expected_s);
      out->set_measured_s(time.measured_s);
    };
    wire::WorkReport* out = envelope_->mutable_work_report();
    out->set_epoch(m.epoch);
    if (m.prompts.runs != 0) fill(m.prompts, out->mutable_prompts());
    if (m.tokens.runs != 0) fill(m.tokens, out->mutable_tokens());
    for (const LinkTime& link : m.links) {
      wire::LinkTime* to = out->add_links();
      to->set_from(link.from);
      to->set_messages(link.messages);
      to->set_size(link.bytes);
      to->set_seconds(link.seconds);
    }
    out->set_queued(m.queued);
    fill_telemetry(m.telemetry, out->mutable_telemetry());
  }

  void operator()(const AskTelemetry&) { envelope_->mutable_ask_telemetry(); }

  void operator()(const TelemetryReport& m) {
    fill_telemetry(m.telemetry, envelope_->mutable_telemetry());
  }

  void operator()(const Exercise& m) { fill_exercise(m, envelope_->mutable_exercise()); }
  void operator()(const Exercised& m) { fill_exercise(m, envelope_->mutable_exercised()); }
  void operator()(const ExerciseLink& m) { fill_exercise(m, envelope_->mutable_exercise_link()); }
  void operator()(const Echo& m) { fill_exercise(m, envelope_->mutable_echo()); }
  void operator()(const Bulk& m) {
    fill_exercise(m, envelope_->mutable_bulk());
    add_tensor(m.data, envelope_->mutable_bulk()->mutable_data());
  }
  void operator()(const LinkTimes& m) { fill_exercise(m, envelope_->mutable_link_times()); }

  void operator()(const Stop&) { envelope_->mutable_stop(); }
  void operator()(const PeerLost& m) { envelope_->mutable_peer_lost()->set_reason(m.reason); }

 private:
  void stays_here() const {
    LINGUA_CHECK(extra_ == nullptr, "clients are not reached by the network");
  }

  void fill(const Activations& m, wire::Activations* out) {
    out->set_request(m.request);
    out->set_step_index(m.step_index);
    out->mutable_step()->set_new_tokens(m.step.new_tokens);
    out->mutable_step()->set_cached_tokens(m.step.cached_tokens);
    out->set_capacity(m.capacity);
    for (ValueId value : m.values) out->add_values(value);
    for (const Tensor& tensor : m.tensors) add_tensor(tensor, out->add_tensors());
    if (m.sampling != Sampling{}) add_sampling(m.sampling, out->mutable_sampling());
    for (TokenId token : m.recent) out->add_recent(token);
    out->set_prompt_goes_on(m.prompt_goes_on);
  }

  void fill(const StepResult& m, wire::StepResult* out) {
    out->set_request(m.request);
    out->set_step_index(m.step_index);
    out->set_token(m.token);
    for (const Tensor& tensor : m.outputs) add_tensor(tensor, out->add_outputs());
  }

  static void fill_row(const EventRow& row, wire::EventRow* out) {
    out->set_who(row.who);
    out->set_what(row.what);
    out->set_segment(row.segment);
    out->set_request(row.request);
    out->set_step(row.step);
    out->set_start(row.start.count());
    out->set_end(row.end.count());
    out->set_size(row.bytes);
  }

  void add_control(const google::protobuf::MessageLite& message) {
    extra_bytes_ += static_cast<double>(message.ByteSizeLong());
    if (extra_ != nullptr) extra_->push_back(make_control_frame(message));
  }

  void add_tensor(const Tensor& tensor, wire::Tensor* out) {
    const std::int64_t bytes = tensor.bytes();
    out->set_dtype(static_cast<int>(tensor.dtype));
    for (std::int64_t dim : tensor.shape) out->add_shape(dim);
    out->set_has_data(extra_ == nullptr || tensor.has_data());
    if (!out->has_data()) return;
    extra_bytes_ += static_cast<double>(bytes);
    if (extra_ == nullptr) return;
    if (static_cast<std::size_t>(bytes) > kMaxFrameBytes) {
      throw WorldError(
          fmt::format("a tensor of {} bytes cannot be sent: at most {} go into a message", bytes,
                      kMaxFrameBytes));
    }
    extra_->push_back(
        {{reinterpret_cast<const char*>(tensor.data.get()), static_cast<std::size_t>(bytes)},
         tensor.data});
  }

  wire::Envelope* envelope_;
  std::vector<Frame>* extra_;
  double extra_bytes_ = 0;
};

}  // namespace

double fill_envelope(const MessageBody& body, wire::Envelope* envelope, std::vector<Frame>* extra) {
  BodyEncoder encoder(envelope, extra);
  std::visit(encoder, body);
  return encoder.extra_bytes();
}

Frame make_control_frame(const google::protobuf::MessageLite& message) {
  const std::size_t bytes = message.ByteSizeLong();
  if (bytes > kMaxControlBytes) {
    throw WorldError(
        fmt::format("a message with {} bytes beside its tensors cannot be sent: at most {} can",
                    bytes, kMaxControlBytes));
  }
  auto text = std::make_shared<std::string>();
  LINGUA_CHECK(message.SerializeToString(text.get()));
  return {*text, text};
}

}  // namespace lingua::internal
