#include "runtime/torch/allowed_operations.h"

#include <set>
#include <string>

namespace lingua {
namespace {

// aten::NAME, also in its form that writes to its operand (NAME_). Not here of LibTorch 1.13: files (from_file,
// save), settings (manual_seed, set_grad_enabled), other memory (set_, set_data, resize_, sparse tensors that
// are not checked), gradients (*_backward, _foreach_*, _fused_*), other processors (cudnn_*, miopen_*, mkldnn_*,
// cuda), packed weights (fbgemm_*, quantized_*), nested and named tensors, what LibTorch tests itself with.
constexpr std::string_view kTensorOperations = R"(
__and__ __contains__ __derive_index __getitem__ __iand__ __ilshift__ __interpolate __ior__
__irshift__ __is__ __isnot__ __ixor__ __lshift__ __not__ __or__ __range_length
__round_to_zero_floordiv __rshift__ __upsample __upsample_bilinear __upsample_nearest __xor__
_adaptive_avg_pool2d _adaptive_avg_pool3d _add_relu _addmm_activation _aminmax _assert_async
_assert_tensor_metadata _batch_norm_impl_index _cast_Byte _cast_Char _cast_Double _cast_Float
_cast_Half _cast_Int _cast_Long _cast_Short _cdist_forward _conj _conj_copy _conj_physical
_convolution _convolution_mode _dim_arange _embedding_bag _embedding_bag_forward_only
_euclidean_dist _fft_c2c _fft_c2r _fft_r2c _fused_dropout _get_tracing_state _grad_sum_to_size
_indices _infer_size _linalg_det _linalg_eigh _linalg_slogdet _linalg_solve_ex _linalg_svd
_list_to_tensor _local_scalar_dense _log_softmax _logcumsumexp _lu_with_info _masked_softmax
_native_multi_head_attention _neg_view _neg_view_copy _pack_padded_sequence _pack_sequence
_pad_circular _pad_enum _pad_packed_sequence _pdist_forward _reshape_alias _reshape_alias_copy
_reshape_from_tensor _safe_softmax _sample_dirichlet _scaled_dot_product_attention
_scaled_dot_product_attention_forward _scaled_dot_product_attention_math _set_item
_shape_as_tensor _size_if_not_equal _softmax _stack _standard_gamma _tensor_to_list _to_copy
_to_cpu _transform_bias_rescale_qkv _transformer_encoder_layer_fwd _trilinear _unique _unique2
_unsafe_view _unwrap_optional _upsample_bicubic2d_aa _upsample_bilinear2d_aa
_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d _values _weight_norm
_weight_norm_interface abs absolute acos acosh adaptive_avg_pool1d adaptive_avg_pool2d
adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d add addbmm addcdiv
addcmul addmm addmv addr adjoint affine_grid_generator alias alias_copy all allclose alpha_dropout
amax amin aminmax angle any append arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh
argmax argmin argsort argwhere as_strided as_strided_copy as_strided_scatter as_tensor asin asinh
atan atan2 atanh atleast_1d atleast_2d atleast_3d avg_pool1d avg_pool2d avg_pool3d baddbmm
bartlett_window batch_norm bernoulli bilinear bin binary_cross_entropy
binary_cross_entropy_with_logits bincount binomial bitwise_and bitwise_left_shift bitwise_not
bitwise_or bitwise_right_shift bitwise_xor blackman_window block_diag bmm Bool broadcast_tensors
broadcast_to bucketize capitalize cartesian_prod cat cauchy ccol_indices ccol_indices_copy cdist
ceil celu center chain_matmul chalf channel_shuffle cholesky cholesky_inverse cholesky_solve chr
chunk clamp clamp_max clamp_min clear clip clone coalesce col2im col_indices col_indices_copy
column_stack combinations Complex complex ComplexImplicit concat concatenate conj conj_physical
constant_pad_nd contiguous conv1d conv2d conv3d conv_depthwise3d conv_tbc conv_transpose1d
conv_transpose2d conv_transpose3d convolution copy copysign corrcoef cos cosh
cosine_embedding_loss cosine_similarity count count_nonzero cov cpu cross cross_entropy_loss
crow_indices crow_indices_copy ctc_loss cummax cummin cumprod cumsum cumulative_trapezoid data
deg2rad degrees Delete dense_dim dequantize det detach detach_copy device diag diag_embed diagflat
diagonal diagonal_copy diagonal_scatter dict diff digamma dim dist div divide divmod dot dropout
dsplit dstack einsum element_size elu embedding embedding_bag empty empty_like empty_strided
endswith eq equal erf erfc erfinv exp exp2 expand expand_as expand_copy expandtabs expm1
exponential extend eye fabs factorial fake_quantize_per_channel_affine
fake_quantize_per_channel_affine_cachemask fake_quantize_per_tensor_affine
fake_quantize_per_tensor_affine_cachemask feature_alpha_dropout feature_dropout fft_fft fft_fft2
fft_fftfreq fft_fftn fft_fftshift fft_hfft fft_hfft2 fft_hfftn fft_ifft fft_ifft2 fft_ifftn
fft_ifftshift fft_ihfft fft_ihfft2 fft_ihfftn fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2
fft_rfftfreq fft_rfftn fill fill_diagonal find fix flatten flip fliplr flipud Float float_power
FloatImplicit floor floor_divide floordiv fmax fmin fmod format frac fractional_max_pool2d
fractional_max_pool3d frexp frobenius_norm full full_like gamma gather gcd ge gelu geometric geqrf
ger get glu gradient greater greater_equal grid_sampler grid_sampler_2d grid_sampler_3d group_norm
gru gru_cell gt hamming_window hann_window hardshrink hardsigmoid hardswish hardtanh
has_torch_function hash heaviside hex hinge_embedding_loss histc histogram histogramdd hsplit
hstack huber_loss hypot i0 igamma igammac im2col imag index index_add index_copy index_fill
index_put index_reduce index_select indices indices_copy inner insert instance_norm Int int_repr
IntImplicit inverse is_autocast_cpu_enabled is_autocast_enabled is_coalesced is_complex is_conj
is_contiguous is_floating_point is_grad_enabled is_neg is_non_overlapping_and_dense is_nonzero
is_scripting is_signed isalnum isalpha isclose isdecimal isdigit isfinite isidentifier isin isinf
islower isnan isneginf isnumeric isposinf isprintable isreal isspace istft istitle isupper item
items join kaiser_window keys kl_div kron kthvalue l1_loss layer_norm lcm ldexp le leaky_relu len
lerp less less_equal lgamma lift_fresh linalg_cholesky linalg_cholesky_ex linalg_cond linalg_cross
linalg_det linalg_diagonal linalg_eig linalg_eigh linalg_eigvals linalg_eigvalsh
linalg_householder_product linalg_inv linalg_inv_ex linalg_ldl_factor linalg_ldl_factor_ex
linalg_ldl_solve linalg_lstsq linalg_lu linalg_lu_factor linalg_lu_factor_ex linalg_lu_solve
linalg_matmul linalg_matrix_exp linalg_matrix_norm linalg_matrix_power linalg_matrix_rank
linalg_multi_dot linalg_norm linalg_pinv linalg_qr linalg_slogdet linalg_solve linalg_solve_ex
linalg_solve_triangular linalg_svd linalg_svdvals linalg_tensorinv linalg_tensorsolve
linalg_vander linalg_vecdot linalg_vector_norm linear linspace list ljust log log10 log1p log2
log_normal log_sigmoid log_sigmoid_forward log_softmax logaddexp logaddexp2 logcumsumexp logdet
logical_and logical_not logical_or logical_xor logit logspace logsumexp lower lstm lstm_cell
lstrip lt lu_solve lu_unpack margin_ranking_loss masked_fill masked_scatter masked_select
mathremainder matmul matrix_exp matrix_H matrix_power max max_pool1d max_pool1d_with_indices
max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices max_unpool2d max_unpool3d
maximum mean median meshgrid mH min minimum mish mm mode modf moveaxis movedim mse_loss msort mT
mul multi_margin_loss multilabel_margin_loss multilabel_margin_loss_forward multinomial multiply
mv mvlgamma nan_to_num nanmean nanmedian nanquantile nansum narrow narrow_copy native_batch_norm
native_channel_shuffle native_dropout native_group_norm native_layer_norm ne neg negative
new_empty new_empty_strided new_full new_ones new_zeros nextafter nll_loss nll_loss2d
nll_loss2d_forward nll_loss_forward nll_loss_nd nonzero nonzero_numpy norm norm_except_dim normal
normal_functional not_equal nuclear_norm numel numpy_T oct one_hot ones ones_like ord orgqr ormqr
outer pad pad_sequence pairwise_distance partition pdist percentFormat permute permute_copy
pinverse pixel_shuffle pixel_unshuffle poisson poisson_nll_loss polar polygamma pop popitem
positive pow prelu prod promote_types put q_per_channel_axis q_per_channel_scales
q_per_channel_zero_points q_scale q_zero_point qr qscheme quantile quantize_per_channel
quantize_per_tensor quantize_per_tensor_dynamic rad2deg radians rand rand_like randint
randint_like randn randn_like random randperm range ravel real reciprocal reflection_pad1d
reflection_pad2d reflection_pad3d relu relu6 remainder remove renorm repeat repeat_interleave
replace replication_pad1d replication_pad2d replication_pad3d requires_grad reshape reshape_as
resolve_conj resolve_neg result_type reverse rfind rindex rjust rms_norm rnn_relu rnn_relu_cell
rnn_tanh rnn_tanh_cell roll rot90 round row_indices row_indices_copy row_stack rpartition rrelu
rrelu_with_noise rsplit rsqrt rstrip rsub scalar_tensor ScalarImplicit
scaled_dot_product_attention scatter scatter_add scatter_reduce searchsorted segment_reduce select
select_copy select_scatter selu setdefault sgn sigmoid sign signbit silu sin sinc sinh Size size
slice slice_copy slice_scatter slogdet slow_conv3d slow_conv3d_forward slow_conv_dilated2d
slow_conv_dilated3d slow_conv_transpose2d slow_conv_transpose3d smooth_l1_loss soft_margin_loss
softmax softplus softshrink sort sorted sparse_coo_tensor sparse_csr_tensor sparse_dim sparse_mask
special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v
special_chebyshev_polynomial_w special_digamma special_entr special_erf special_erfc special_erfcx
special_erfinv special_exp2 special_expit special_expm1 special_gammainc special_gammaincc
special_gammaln special_hermite_polynomial_h special_hermite_polynomial_he special_i0 special_i0e
special_i1 special_i1e special_laguerre_polynomial_l special_legendre_polynomial_p special_log1p
special_log_ndtr special_log_softmax special_logit special_logsumexp special_modified_bessel_i0
special_modified_bessel_i1 special_modified_bessel_k0 special_modified_bessel_k1
special_multigammaln special_ndtr special_ndtri special_polygamma special_psi special_round
special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1
special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w special_sinc
special_softmax special_spherical_bessel_j0 special_xlog1py special_xlogy special_zeta split
split_copy split_with_sizes split_with_sizes_copy splitlines sqrt square squeeze squeeze_copy
stack startswith std std_mean stft str stride strip sub subtract sum sum_to_size svd swapaxes
swapcase swapdims symeig t t_copy take take_along_dim tan tanh tensor tensor_split tensordot
thnn_conv2d threshold tile title to to_dense to_sparse to_sparse_bsc to_sparse_bsr to_sparse_csc
to_sparse_csr topk trace transpose transpose_copy trapezoid trapz triangular_solve tril
tril_indices triplet_margin_loss triu triu_indices true_divide trunc type_as unbind unbind_copy
unflatten unfold unfold_copy uniform unique_consecutive unique_dim unique_dim_consecutive
unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_copy update upper
upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d
upsample_nearest3d upsample_trilinear3d values values_copy vander var var_mean vdot view view_as
view_as_complex view_as_complex_copy view_as_real view_as_real_copy view_copy vsplit vstack wait
where xlogy zero zeros zeros_like zfill
)";

// What TorchScript itself does, as it stands in a graph or a program.
constexpr std::string_view kLanguage = R"(
Constant GetAttr ListConstruct ListUnpack TupleConstruct TupleUnpack TupleIndex TupleSlice DictConstruct
If Loop Uninitialized RaiseException unchecked_cast unchecked_unwrap_optional isinstance
NumToTensor ImplicitTensorToNum ConstantChunk EnumName EnumValue StringIndex rangelist tolist
data device dtype layout shape type requires_grad is_cpu is_cuda is_meta is_mkldnn is_nested is_quantized
is_sparse is_sparse_csr is_xpu is_vulkan is_mps min max abs
)";

constexpr std::string_view kOwn = R"(
attention cos embedding gelu layer_norm linear_int8 log_likelihood rms_norm rotate silu sin soft_cap
)";

std::set<std::string> words(std::string_view text) {
  std::set<std::string> all;
  std::string word;
  for (const char c : text) {
    if (c != ' ' && c != '\n') {
      word += c;
    } else if (!word.empty()) {
      all.insert(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) all.insert(word);
  return all;
}

}  // namespace

bool is_allowed_operation(std::string_view name) {
  static const std::set<std::string> tensors = words(kTensorOperations);
  static const std::set<std::string> language = words(kLanguage);
  static const std::set<std::string> own = words(kOwn);
  const auto split = name.find("::");
  if (split == std::string_view::npos) return false;
  const std::string_view space = name.substr(0, split);
  std::string rest(name.substr(split + 2));
  if (space == "prim") return language.contains(rest);
  if (space == "lingua") return own.contains(rest);
  if (space != "aten") return false;
  if (tensors.contains(rest)) return true;
  if (rest.empty() || rest.back() != '_') return false;
  rest.pop_back();
  return tensors.contains(rest);
}

}  // namespace lingua
