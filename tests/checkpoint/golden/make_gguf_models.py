#!/usr/bin/env python3
"""Writes gguf_models/NAME.json: tiny random models of each family as Hugging Face's transformers saves
them (config and weights) and as llama.cpp's own converter turns them into GGUF.

    python make_gguf_models.py PATH_OF_LLAMA_CPP

Needs: pip install torch 'transformers==4.57.*' safetensors numpy
"""
import json
import pathlib
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file

LLAMA_CPP = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(LLAMA_CPP / "gguf-py"))
sys.path.insert(0, str(LLAMA_CPP))
import gguf  # noqa: E402
from conversion import base, gemma, llama, qwen  # noqa: E402

COMMON = dict(vocab_size=10, hidden_size=8, intermediate_size=12, num_hidden_layers=2,
              num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
              bos_token_id=1, eos_token_id=2, pad_token_id=None)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=8192)
MODELS = {
    "llama": (llama.LlamaModel, transformers.LlamaConfig(
        **COMMON, rope_theta=50000.0, tie_word_embeddings=False)),
    "llama-biases-tied": (llama.LlamaModel, transformers.LlamaConfig(
        **COMMON, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama3": (llama.LlamaModel, transformers.LlamaConfig(
        **COMMON, head_dim=32, rope_theta=500000.0, rope_scaling=LLAMA3,
        tie_word_embeddings=True)),
    "mistral": (llama.LlamaModel, transformers.MistralConfig(
        **COMMON, sliding_window=None, rms_norm_eps=1e-5, rope_theta=1000000.0)),
    "qwen2": (qwen.Qwen2Model, transformers.Qwen2Config(
        **COMMON, rope_theta=1000000.0, tie_word_embeddings=True)),
    "qwen3": (qwen.Qwen3Model, transformers.Qwen3Config(
        **COMMON, head_dim=6, rope_theta=1000000.0, tie_word_embeddings=False)),
    "gemma3": (gemma.Gemma3Model, transformers.Gemma3TextConfig(
        **{**COMMON, "num_hidden_layers": 7}, head_dim=4, sliding_window=16,
        query_pre_attn_scalar=4)),
    "gemma3-scaled": (gemma.Gemma3Model, transformers.Gemma3TextConfig(
        **COMMON, head_dim=4, sliding_window=16, query_pre_attn_scalar=4,
        rope_scaling=dict(rope_type="linear", factor=8.0))),
}
# The fields that say what the model computes.
FIELDS = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
          "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
          "rope_theta", "rope_scaling", "tie_word_embeddings", "eos_token_id", "bos_token_id",
          "head_dim", "attention_bias", "mlp_bias", "hidden_act", "hidden_activation",
          "layer_types", "sliding_window", "rope_local_base_freq", "query_pre_attn_scalar",
          "attn_logit_softcapping", "final_logit_softcapping", "use_sliding_window"]


def no_vocabulary(self):
    self.gguf_writer.add_bos_token_id(self.hparams["bos_token_id"])
    self.gguf_writer.add_eos_token_id(self.hparams["eos_token_id"])


def convert(name, converter, config, folder):
    torch.manual_seed(len(name))
    model = transformers.AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)
    # Gemma's converter counts the tokens in it.
    vocabulary = {"model": {"vocab": {str(i): i for i in range(10)}}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(vocabulary))
    converter.set_vocab = no_vocabulary
    path = folder / "model.gguf"
    converter(folder, gguf.LlamaFileType.ALL_F32, path, eager=True).write()
    saved = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    return {
        "name": name,
        "gguf": path.read_bytes().hex(),
        "model_type": saved["model_type"],
        "architectures": saved["architectures"],
        "config": {field: saved[field] for field in FIELDS if field in saved},
        "tensors": {key: {"shape": list(value.shape), "float32": value.numpy().tobytes().hex()}
                    for key, value in sorted(tensors.items())},
    }


def main():
    out = pathlib.Path("gguf_models")
    out.mkdir(exist_ok=True)
    for name, (converter, config) in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            # The converter names the model after its folder.
            row = convert(name, converter, config, pathlib.Path(folder) / name)
        (out / f"{name}.json").write_text(json.dumps(row) + "\n")


main()
