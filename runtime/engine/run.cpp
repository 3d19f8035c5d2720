#include "runtime/engine/run.h"

#include <exception>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {

void check_all_answered(const RunResult& result) {
  if (result.refusals.empty()) return;
  const Refused& first = result.refusals.front();
  const std::size_t more = result.refusals.size() - 1;
  throw WorldError(fmt::format("request {} is refused by {}{}", first.request, first.reason,
                               more == 0 ? "" : fmt::format(" (and {} more are refused)", more)));
}

RunResult result_of(CoordinatorResult coordinator, ClientResult client) {
  return {std::move(client.answers),
          std::move(client.refusals),
          std::move(coordinator.log),
          std::move(coordinator.metrics),
          std::move(coordinator.digest),
          coordinator.deployment,
          std::move(coordinator.notes),
          std::move(coordinator.recoveries),
          std::move(coordinator.moves),
          std::move(coordinator.joins),
          std::move(coordinator.peak_memory_bytes)};
}

namespace {

// A client on a thread of its own. Its end, however it comes, lets the coordinator end too.
class ClientThread {
 public:
  ClientThread(Mailbox& mailbox, const ClientJob& job)
      : thread_([this, &mailbox, &job] {
          try {
            result_ = run_client(mailbox, job);
          } catch (const std::exception&) {
            error_ = std::current_exception();
            mailbox.send(kCoordinator, Detach{});
          }
        }) {}

  // REQUIRES: it has ended or been told to stop.
  ClientResult join() {
    thread_.join();
    if (error_) std::rethrow_exception(error_);
    return std::move(result_);
  }

 private:
  ClientResult result_;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace

RunResult run_job(Mailbox& coordinator, Mailbox& client, const RunJob& job) {
  ClientThread thread(client, job.client);
  CoordinatorResult result;
  std::exception_ptr error;
  try {
    result = run_coordinator(coordinator, job.coordinator);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  coordinator.send(client.name(), Stop{});  // which may not have been known yet
  ClientResult answers = thread.join();
  if (error) std::rethrow_exception(error);
  return result_of(std::move(result), std::move(answers));
}

}  // namespace lingua
