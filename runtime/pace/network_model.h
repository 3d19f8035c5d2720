#pragma once
// When each message that is sent over a cluster's network arrives, as the simulated cluster has it.
//
// The messages of a pair are one stream: a message's bytes flow once its latency has passed since it was sent
// and all bytes before it have arrived. Streams share radios, links and the medium max-min fairly
// (predict/flow_network.h). Not modelled, here as there: loss, jitter, half-duplex radios.
// Units: bytes, seconds on any one clock. Determinism: a function of what was sent and when.

#include <deque>
#include <map>
#include <queue>
#include <utility>
#include <vector>

#include "runtime/predict/flow_network.h"

namespace lingua {

class NetworkModel {
 public:
  explicit NetworkModel(ClusterSpec cluster);
  NetworkModel(const NetworkModel&) = delete;
  NetworkModel& operator=(const NetworkModel&) = delete;

  // REQUIRES: the cluster has a link from one to the other. What would have come about before the last
  // advance() comes about then.
  void send(const DeviceName& from, const DeviceName& to, double bytes, double now_s);

  // From a time on the device's links have so many times the bandwidth that the cluster says, for what is
  // under way too. The changes of one time come about in the order of these calls.
  void set_bandwidth_at(double when_s, const DeviceName& device, double factor);

  struct Arrival {
    DeviceName from;
    DeviceName to;
    double when_s = 0;
  };
  // Lets time pass; what arrived since, in order. Valid until the next call.
  const std::vector<Arrival>& advance(double now_s);

  // When something about messages changes next, if nothing is sent meanwhile; infinity when nothing is under way.
  double next_s() const;

  // Messages of a pair that have not arrived.
  std::size_t under_way(const DeviceName& from, const DeviceName& to) const;

 private:
  struct Way {
    DeviceName from;
    DeviceName to;
    double latency_s = 0;
    std::deque<double>
        stream;  // bytes of each message under way; the first `ready` paid their latency
    std::size_t ready = 0;
    bool flows = false;
    double done_s = 0;  // where it flows
  };
  struct Paid {  // a latency
    double when_s = 0;
    std::uint64_t number = 0;
    int way = 0;
    bool operator<(const Paid& other) const {  // the greatest is the next
      return when_s != other.when_s ? when_s > other.when_s : number > other.number;
    }
  };

  int way_of(const DeviceName& from, const DeviceName& to);
  int next_done() const;  // -1 where nothing flows
  void start(int index, double now_s);
  void arrive(Way& way, double now_s);
  void take(const std::vector<FlowNetwork::Change>& changes);

  struct Bandwidth {
    DeviceName device;
    double factor = 1;
  };

  const ClusterSpec cluster_;
  FlowNetwork flows_;
  std::multimap<double, Bandwidth> bandwidths_;  // to come, by when
  std::map<std::pair<DeviceName, DeviceName>, int> way_by_pair_;
  std::vector<Way> ways_;
  std::vector<int> flowing_;
  std::priority_queue<Paid> latencies_;
  std::uint64_t sent_ = 0;
  double last_s_ = 0;
  std::vector<Arrival> arrivals_;
};

}  // namespace lingua
