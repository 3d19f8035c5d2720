// The part of the Python module `lingua` that calls the library: texts in, texts out (lingua/__init__.py does the rest).

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>

#include <string>

#include "runtime/include/lingua/lingua.h"

namespace py = pybind11;

namespace {

using Note = std::function<void(const std::string& text)>;
using Advance = std::function<void(const py::dict& how_far)>;
using Call = std::string (*)(const std::string&, const lingua::CallHooks&);

// Ctrl-C ends the call, and what a callback throws does.
void see_to_signals() {
  const py::gil_scoped_acquire held;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Other threads of Python go on while it works.
template <Call call>
std::string called(const std::string& settings, const Note& note) {
  lingua::CallHooks hooks;
  hooks.tick = see_to_signals;
  hooks.note = note;  // takes the lock itself
  const py::gil_scoped_release released;
  return call(settings, hooks);
}

std::string run_sweep(const lingua::SweepCall& call, const Advance& advance) {
  lingua::SweepHooks hooks;
  hooks.advance = [&](const lingua::SweepAdvance& now) {
    see_to_signals();
    if (!advance) return;
    const py::gil_scoped_acquire held;
    using namespace py::literals;  // NOLINT
    advance(py::dict("before"_a = now.before, "done"_a = now.done, "failed"_a = now.failed,
                     "size"_a = now.size, "seconds"_a = now.seconds));
  };
  const py::gil_scoped_release released;
  return lingua::run_sweep(call, hooks);
}

// Raised as the class that lingua/errors.py has for the exit code.
void raise_failure(const lingua::Failure& failure) {
  const py::object error =
      py::module_::import("lingua.errors").attr("error_of")(failure.exit_code(), failure.what());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
}

}  // namespace

PYBIND11_MODULE(_lingua, module) {
  module.def("plan", &called<&lingua::plan>);
  module.def("simulate", &called<&lingua::simulate>);
  module.def("emulate", &called<&lingua::emulate>);
  module.def("settings_of", &lingua::settings_of);
  module.def("sweep_rows", &lingua::sweep_rows, py::call_guard<py::gil_scoped_release>());
  module.def("preview_sweep", &lingua::preview_sweep, py::call_guard<py::gil_scoped_release>());
  module.def("run_sweep", &run_sweep);
  module.def("versions", [] {
    const lingua::Versions versions = lingua::versions();
    py::dict all;
    all["program"] = versions.program;
    all["commit"] = versions.commit;
    all["libtorch"] = versions.libtorch;
    all["simgrid"] = versions.simgrid;
    all["cbc"] = versions.cbc;
    return all;
  });
  py::class_<lingua::SweepCall>(module, "SweepCall")
      .def(py::init<>())
      .def_readwrite("spec", &lingua::SweepCall::spec)
      .def_readwrite("database", &lingua::SweepCall::database)
      .def_readwrite("workers", &lingua::SweepCall::workers)
      .def_readwrite("point_time_limit_s", &lingua::SweepCall::point_time_limit_s)
      .def_readwrite("retry_failed", &lingua::SweepCall::retry_failed)
      .def_readwrite("allow_other_version", &lingua::SweepCall::allow_other_version);
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const lingua::Failure& failure) {
      raise_failure(failure);
    }
  });
}
