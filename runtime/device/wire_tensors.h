#pragma once
// The form in which activations travel, by WireType: pack() before they are sent, unpack() behind it.
//
// Shapes: bfloat16 keeps the shape. [..., n] of float32 or bfloat16 becomes int8 [..., n + 4]: of each
// row the scale (float32, little-endian), then n values; a row is scale * values, |scale * 127| the largest
// of its magnitudes. A row of zeros has scale 0; one with a NaN or an infinity becomes NaN throughout.
// Tensors without data stay without. Errors: REQUIRES where it says so, none else.
// Threads: functions of values.

#include "runtime/device/communication.h"
#include "runtime/device/tensor.h"
#include "runtime/model/segment.h"

namespace lingua {

// Whether a value has another form on the way: float32 with at least one dimension, for int8 also bfloat16, with
// rows of a constant length that the scale does not outweigh; none of the model's outputs.
bool is_packed(const TensorSpec& spec, const std::vector<ValueId>& model_outputs, WireType wire);

// What a value is on the way in a model with these outputs: the spec itself where it is not packed.
TensorSpec wire_spec(const TensorSpec& spec, const std::vector<ValueId>& model_outputs,
                     WireType wire);

// REQUIRES: the tensor is what a spec says for which is_packed() holds; packed: what wire_spec() says, of a
// value of that dtype.
Tensor pack(const Tensor& tensor, WireType wire);
Tensor unpack(const Tensor& packed, WireType wire, DType dtype);

}  // namespace lingua
