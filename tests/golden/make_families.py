#!/usr/bin/env python3
"""Golden logits of small models from Hugging Face transformers: see README.md beside this file.

Usage: make_families.py [FOLDER]   (default: families beside this file)
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors import safe_open
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch.overrides import TorchFunctionMode
from transformers import (BloomConfig, Gemma3TextConfig, LlamaConfig, MistralConfig,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen3Config)

MADE_BY = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}, float64"
MASK = (1 << 64) - 1
PROMPTS = [[3], [5, 17, 3, 60, 0, 9, 9], [88, 4, 31, 31, 7, 52, 90, 1, 16, 23, 45, 2, 8, 66, 71, 12, 5, 40]]
SENTENCES = [[5, 17, 3], [60, 0, 9, 9], [88], [4, 31, 31, 7, 52], [90, 1, 16, 23], [45, 2, 8, 66, 71, 12],
             [5, 40], [77, 76, 75], [10, 20, 30, 40], [1, 1, 1], [33, 92], [64, 32, 16, 8, 4, 2]]
# 0 is the padding: behind, before and between the others, alone, and the first place beside it.
PADDED = [[5, 17, 3, 0, 0], [0, 0, 5, 17], [5, 0, 17, 0], [0, 0, 0], [7, 0, 0], [0, 5, 0], [88], [4, 31, 31, 7, 52]]
COMMON = dict(vocab_size=97, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
DECODER = dict(COMMON, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
               num_key_value_heads=2)
LABELS = dict(id2label={0: "negative", 1: "neutral", 2: "positive"},
              label2id={"negative": 0, "neutral": 1, "positive": 2})
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
SMALL = dict(COMMON, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
             num_key_value_heads=1)
GEMMA = dict(DECODER, num_hidden_layers=4, num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=24,
             sliding_window=6, sliding_window_pattern=3, rope_theta=1000.0, rope_local_base_freq=50.0)

CASES = {
    "bloom": ("BloomForCausalLM", BloomConfig(
        vocab_size=97, hidden_size=48, n_layer=2, n_head=6, eos_token_id=2)),
    "bloom-residual": ("BloomForCausalLM", BloomConfig(
        vocab_size=97, hidden_size=32, n_layer=2, n_head=4, eos_token_id=2,
        apply_residual_connection_post_layernorm=True)),
    "bloom-classification": ("BloomForSequenceClassification", BloomConfig(
        vocab_size=97, hidden_size=32, n_layer=2, n_head=4, eos_token_id=2, **LABELS)),
    "llama": ("LlamaForCausalLM", LlamaConfig(**DECODER)),
    "llama-llama3-scaling": ("LlamaForCausalLM", LlamaConfig(
        **DECODER, head_dim=16, rope_theta=100.0, rope_scaling=LLAMA3, tie_word_embeddings=True)),
    "llama-linear-scaling": ("LlamaForCausalLM", LlamaConfig(
        **DECODER, rope_scaling={"rope_type": "linear", "factor": 4.0}, attention_bias=True,
        mlp_bias=True)),
    "llama-classification": ("LlamaForSequenceClassification", LlamaConfig(**DECODER, **LABELS)),
    "mistral": ("MistralForCausalLM", MistralConfig(**DECODER, sliding_window=6)),
    "qwen2": ("Qwen2ForCausalLM", Qwen2Config(
        **DECODER, use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    "qwen2-classification": ("Qwen2ForSequenceClassification", Qwen2Config(**DECODER, **LABELS)),
    "qwen3": ("Qwen3ForCausalLM", Qwen3Config(**DECODER, head_dim=16, tie_word_embeddings=True)),
    "gemma3": ("Gemma3ForCausalLM", Gemma3TextConfig(**GEMMA)),
    "gemma3-untied": ("Gemma3ForCausalLM", Gemma3TextConfig(
        **GEMMA, tie_word_embeddings=False, final_logit_softcapping=30.0,
        rope_scaling={"rope_type": "linear", "factor": 4.0})),
    "bloom-pads": ("BloomForSequenceClassification", BloomConfig(
        vocab_size=97, hidden_size=16, n_layer=1, n_head=2, eos_token_id=2, pad_token_id=0, **LABELS)),
    "llama-pads": ("LlamaForSequenceClassification", LlamaConfig(**SMALL, pad_token_id=0, **LABELS)),
    "llama-no-pads": ("LlamaForSequenceClassification", LlamaConfig(**SMALL, **LABELS)),
    "llama-one-label": ("LlamaForSequenceClassification", LlamaConfig(**SMALL, pad_token_id=0, num_labels=1)),
    "mistral-several-labels": ("MistralForSequenceClassification", MistralConfig(
        **SMALL, pad_token_id=0, problem_type="multi_label_classification", **LABELS)),
    "qwen2-pads": ("Qwen2ForSequenceClassification", Qwen2Config(**SMALL, pad_token_id=0, **LABELS)),
    "qwen3-regression": ("Qwen3ForSequenceClassification", Qwen3Config(
        **SMALL, head_dim=8, pad_token_id=0, problem_type="regression", **LABELS)),
    "gemma3-softcap": ("Gemma3TextForSequenceClassification", Gemma3TextConfig(
        **SMALL, head_dim=8, query_pre_attn_scalar=8, sliding_window=16, final_logit_softcapping=0.5,
        **LABELS)),
    "gemma3-no-pads": ("Gemma3TextForSequenceClassification", Gemma3TextConfig(
        **SMALL, head_dim=8, query_pre_attn_scalar=8, sliding_window=16, pad_token_id=None, **LABELS)),
}
# Not used: a pipeline wants one.
TOKENIZER = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0})))
WITH_PADDING = {"bloom-pads", "llama-pads", "llama-no-pads", "llama-one-label", "mistral-several-labels",
                "qwen2-pads", "qwen3-regression", "gemma3-softcap", "gemma3-no-pads"}


def units(name, count):
    """Numbers of [-1, 1) in float32, from the tensor's name and their places alone."""
    seed = 14695981039346656037
    for byte in name.encode():
        seed = ((seed ^ byte) * 1099511628211) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32) / np.float32(1 << 23)


def distribution(name, shape, family):
    """Base and scale: wide enough that every part of the model matters. Scales are powers of two."""
    if len(shape) == 1:
        norm = name.endswith("norm.weight") or name.endswith("ln_f.weight")
        return (1.0 if norm and family != "gemma3_text" else 0.0), 0.5
    return 0.0, 0.5 if "embed" in name else 0.25


def scores(model, logits):
    """What the text-classification pipeline makes of one text's logits, and of one label the logit."""
    if model.config.num_labels == 1:
        return logits[0].tolist()
    pipeline = transformers.TextClassificationPipeline(model=model, tokenizer=TOKENIZER, device="cpu")
    given = pipeline.postprocess({"logits": logits}, top_k=None, _legacy=True)
    return [row["score"] for row in given]


class InFloat64(TorchFunctionMode):
    """Where transformers asks for float32. Sums in float64 have the same 7 digits on every machine."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        def wide(value):
            return torch.float64 if value is torch.float32 else value

        function = torch.Tensor.double if function is torch.Tensor.float else function
        options = {key: wide(value) for key, value in (options or {}).items()}
        return function(*map(wide, arguments), **options)


def make(name, architecture, config):
    torch.manual_seed(0)
    config._attn_implementation = "eager"
    with InFloat64():
        model = getattr(transformers, architecture)(config).eval()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        saved = json.loads((pathlib.Path(folder) / "config.json").read_text())
        with safe_open(pathlib.Path(folder) / "model.safetensors", "pt") as file:
            shapes = {key: list(file.get_slice(key).get_shape()) for key in sorted(file.keys())}
    tensors = []
    parameters = model.state_dict()
    for key, shape in shapes.items():
        base, scale = distribution(key, shape, config.model_type)
        values = np.float32(base) + np.float32(scale) * units(key, int(np.prod(shape)))
        parameters[key].copy_(torch.from_numpy(values.reshape(shape)))
        tensors.append({"name": key, "shape": shape, "base": base, "scale": scale})
    model.tie_weights()
    model.double()
    classifies = architecture.endswith("ForSequenceClassification")
    results = []
    with torch.no_grad(), InFloat64():
        sentences = PADDED if name in WITH_PADDING else SENTENCES
        for tokens in sentences if classifies else PROMPTS:
            logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
            rows = logits.reshape(-1, logits.shape[-1])
            result = {"tokens": tokens, "logits": [[float(f"{v:.7g}") for v in row] for row in rows.tolist()]}
            if classifies:
                result["label"] = config.id2label[int(rows[0].argmax())]
            if name in WITH_PADDING:
                result["scores"] = [float(f"{v:.7g}") for v in scores(model, rows)]
            results.append(result)
    return {"made_by": MADE_BY,
            "config": saved, "tensors": tensors, "prompts": results}


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "families"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (architecture, config) in CASES.items():
        golden = make(name, architecture, config)
        text = json.dumps(golden, separators=(",", ":"))
        # One tensor and one row of logits a line.
        text = text.replace('{"name"', '\n{"name"').replace('],[', '],\n[').replace('{"tokens"', '\n{"tokens"')
        (folder / f"{name}.json").write_text(text + "\n")
        largest = max(abs(v) for p in golden["prompts"] for row in p["logits"] for v in row)
        print(f"{name}: {len(golden['tensors'])} tensors, largest logit {largest:.3g}, {len(text)} bytes")


if __name__ == "__main__":
    main()
