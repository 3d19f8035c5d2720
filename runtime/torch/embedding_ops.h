#pragma once
// Look-ups of rows for LibTorch's dispatcher, on CPU and (shapes only) meta tensors: what aten::embedding
// does not do, int8 rows and a table that is held in pieces.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
//   embedding(Tensor? before [n, in], Tensor rows, Tensor tokens [n], int first, int vocabulary, int dtype)
//       -> Tensor [n, in]
//     rows [count, in] in the dtype, or int8 [count, in + 4] as int8_ops.h says, are first .. first + count - 1
//     of a table of `vocabulary` rows. A token outside of them gets its row of `before`, or zeros without it:
//     handed from piece to piece, the result has each token's row, bit for bit, whatever the pieces.
// Errors: c10::Error that names operand or token.

namespace lingua {

// Makes the operation known; more than once does no harm.
void register_embedding_ops();

}  // namespace lingua
