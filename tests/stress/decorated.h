#pragma once
// A device that passes everything on: what a test derives from it changes a part.

#include "runtime/device/device.h"

namespace lingua::testing {

class Decorated : public Device {
 public:
  explicit Decorated(Device& inner) : inner_(inner) {}
  const DeviceName& name() const override { return inner_.name(); }
  Seconds now() override { return inner_.now(); }
  void send(const DeviceName& to, MessageBody body) override { inner_.send(to, std::move(body)); }
  std::optional<Message> receive(Seconds deadline) override { return inner_.receive(deadline); }
  Executor& executor() override { return inner_.executor(); }
  const DeviceSpec& spec() const override { return inner_.spec(); }
  Telemetry telemetry() override { return inner_.telemetry(); }

 protected:
  Device& inner_;
};

}  // namespace lingua::testing
