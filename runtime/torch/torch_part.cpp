#include "runtime/torch/torch_part.h"

const lingua::TorchPart* lingua_torch_part() {
  static const lingua::TorchPart part = {
      .executor = lingua::make_torch_executor,
      .blas = lingua::slow_blas,
      .onednn = lingua::onednn_trouble,
#ifdef LINGUA_WITH_JIT
      .import = lingua::import_model,
      .dtype = lingua::own_dtype,
      .generate = lingua::generate_reference,
      .pass = lingua::run_reference,
#endif
  };
  return &part;
}
