#pragma once
// A model that is spread over workers and answers OpenAI's API over HTTP.
//
// Errors: those of the parts; each names its option, file and field.

#include <string>

#include "runtime/app/audience.h"
#include "runtime/app/talk.h"

namespace lingua {

struct ServeRequest {
  ServeRequest() {
    talk.study.workload.in_flight = 4;
    talk.study.workload.scheduling.max_batch = kAutoBatch;
  }

  TalkOptions talk;
  std::string http = "127.0.0.1:8080";  // HOST:PORT
  std::string api_key_file;             // its first line; empty: none is asked for
  std::string name;                     // of the model in the API; empty: that of its file
};

// What `serve` takes.
void visit_serving(ServeRequest& request, SettingVisitor& visitor);

// Serves until a signal ends it (WorldError), for one run after another where workers are lost.
void serve(const ServeRequest& request, const Audience& audience);

}  // namespace lingua
