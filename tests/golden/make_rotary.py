#!/usr/bin/env python3
"""Golden logits of rotary parameters in all the places where configs have them: see README.md here.

Usage: make_rotary.py [FOLDER]   (default: rotary beside this file)
Writes transformers-4.json or transformers-5.json, by the version that is installed.
"""

import json
import pathlib
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from make_families import MADE_BY, InFloat64, distribution, units  # noqa: E402

import numpy as np  # noqa: E402

MAJOR = int(transformers.__version__.split(".")[0])
TOKENS = [5, 17, 3, 30, 0, 9, 9, 28, 4, 1, 7, 22, 13, 16, 23, 25, 2, 8, 6, 11, 12, 19]
STEPS = [19, 1, 1, 1]  # a prompt, then a token at a time with what is kept of those before
SIZES = dict(vocab_size=31, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
             num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=64,
             bos_token_id=1, eos_token_id=2, rms_norm_eps=1e-5, tie_word_embeddings=True)
LLAMA = dict(SIZES, model_type="llama", architectures=["LlamaForCausalLM"], hidden_act="silu")
MISTRAL = dict(SIZES, model_type="mistral", architectures=["MistralForCausalLM"], hidden_act="silu",
               sliding_window=None)
QWEN2 = dict(SIZES, model_type="qwen2", architectures=["Qwen2ForCausalLM"], hidden_act="silu")
QWEN3 = dict(SIZES, model_type="qwen3", architectures=["Qwen3ForCausalLM"], hidden_act="silu")
GEMMA = dict(SIZES, model_type="gemma3_text", architectures=["Gemma3ForCausalLM"], num_hidden_layers=2,
             hidden_activation="gelu_pytorch_tanh", sliding_window=16, query_pre_attn_scalar=8,
             layer_types=["sliding_attention", "full_attention"])
LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
YARN = dict(factor=4.0, original_max_position_embeddings=16)
SHORT = dict(max_position_embeddings=16)  # than the prompt


def scaled(kind, **more):
    return dict(rope_type=kind, **more)


OLDER = {
    "llama-theta": dict(LLAMA, rope_theta=300.0),
    "llama-linear-by-type": dict(LLAMA, rope_theta=300.0, rope_scaling=dict(type="linear", factor=3)),
    "llama-both-names-of-type": dict(LLAMA, rope_scaling=dict(type="linear", rope_type="linear", factor=3.0)),
    "llama-default-with-factor": dict(LLAMA, rope_theta=300.0, rope_scaling=scaled("default", factor=4.0)),
    "llama-llama3": dict(LLAMA, rope_theta=300.0, rope_scaling=scaled("llama3", **LLAMA3)),
    "llama-llama3-unknown-key": dict(LLAMA, rope_scaling=scaled("llama3", attention_factor=2.0, **LLAMA3)),
    "llama-yarn": dict(LLAMA, rope_theta=300.0, rope_scaling=scaled("yarn", **YARN)),
    "llama-yarn-no-length": dict(LLAMA, rope_scaling=scaled("yarn", factor=4.0)),
    "llama-yarn-betas": dict(LLAMA, rope_scaling=scaled("yarn", beta_fast=4.0, beta_slow=0.5, **YARN)),
    "llama-yarn-no-betas": dict(LLAMA, rope_scaling=scaled("yarn", beta_fast=0, beta_slow=None, **YARN)),
    "llama-yarn-mscale": dict(LLAMA, rope_scaling=scaled("yarn", mscale=2.0, mscale_all_dim=0.5, **YARN)),
    "llama-yarn-one-mscale": dict(LLAMA, rope_scaling=scaled("yarn", mscale=2.0, mscale_all_dim=0, **YARN)),
    "llama-yarn-attention-factor": dict(LLAMA, rope_scaling=scaled("yarn", attention_factor=1.7, **YARN)),
    "llama-yarn-not-truncated": dict(LLAMA, rope_theta=300.0,
                                     rope_scaling=scaled("yarn", truncate=False, finetuned=True, **YARN)),
    "llama-yarn-factor-below-one": dict(LLAMA, rope_scaling=scaled("yarn", factor=0.5)),
    "llama-dynamic": dict(LLAMA, rope_theta=300.0, rope_scaling=scaled("dynamic", factor=2.0)),
    "llama-dynamic-beyond": {**LLAMA, **SHORT, "rope_theta": 300.0,
                             "rope_scaling": scaled("dynamic", factor=2.0)},
    "llama-both-objects": dict(LLAMA, rope_theta=300.0, rope_scaling=scaled("linear", factor=3.0),
                               rope_parameters=scaled("llama3", rope_theta=50.0, **LLAMA3)),
    "mistral-yarn-by-type": dict(MISTRAL, rope_theta=300.0, rope_scaling=dict(type="yarn", **YARN)),
    "mistral-layer-types": dict(MISTRAL, num_hidden_layers=2, sliding_window=4,
                                layer_types=["sliding_attention", "full_attention"]),
    "qwen2-yarn": dict(QWEN2, rope_theta=300.0, rope_scaling=dict(type="yarn", **YARN)),
    "qwen2-all-layers-slide": dict(QWEN2, num_hidden_layers=2, use_sliding_window=True, sliding_window=4,
                                   max_window_layers=0),
    "qwen3-dynamic-beyond": {**QWEN3, **SHORT, "rope_scaling": scaled("dynamic", factor=3.0)},
    "gemma3-linear": dict(GEMMA, rope_theta=300.0, rope_local_base_freq=50.0,
                          rope_scaling=scaled("linear", factor=4.0)),
    "gemma3-yarn": dict(GEMMA, rope_theta=300.0, rope_scaling=scaled("yarn", **YARN)),
    "gemma3-dynamic-beyond": {**GEMMA, **SHORT, "rope_theta": 300.0,
                              "rope_scaling": scaled("dynamic", factor=4.0)},
    "gemma3-flat-beside": dict(GEMMA, rope_scaling=scaled("linear", factor=4.0),
                               rope_parameters=scaled("linear", factor=2.0, rope_theta=50.0)),
}
NEWER = {
    "llama-default": dict(LLAMA, rope_parameters=scaled("default", rope_theta=300.0)),
    "llama-theta-outside": dict(LLAMA, rope_theta=300.0, rope_parameters=scaled("default")),
    "llama-theta-alone": dict(LLAMA, rope_parameters=dict(rope_theta=300.0)),
    "llama-two-thetas": dict(LLAMA, rope_theta=50.0, rope_parameters=scaled("default", rope_theta=300.0)),
    "llama-empty-scaling": dict(LLAMA, rope_scaling={}, rope_parameters=scaled("default", rope_theta=300.0)),
    "llama-llama3-theta-outside": dict(LLAMA, rope_theta=300.0, rope_parameters=scaled("llama3", **LLAMA3)),
    "llama-llama3-no-length": dict(LLAMA, rope_theta=300.0, rope_parameters=scaled(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)),
    "llama-linear-by-type": dict(LLAMA, rope_theta=300.0, rope_parameters=dict(type="linear", factor=3)),
    "llama-scaling-with-theta": dict(LLAMA, rope_scaling=scaled("linear", factor=3.0, rope_theta=300.0)),
    "llama-both-objects": dict(LLAMA, rope_theta=300.0, rope_scaling=scaled("linear", factor=3.0),
                               rope_parameters=scaled("llama3", rope_theta=50.0, **LLAMA3)),
    "llama-yarn": dict(LLAMA, rope_parameters=scaled("yarn", rope_theta=300.0, **YARN)),
    "llama-yarn-factor-null": dict(LLAMA, rope_parameters=scaled(
        "yarn", factor=None, original_max_position_embeddings=16)),
    "llama-dynamic-beyond": {**LLAMA, **SHORT, "rope_theta": 300.0,
                             "rope_parameters": scaled("dynamic", factor=2.0)},
    "mistral-theta-outside": dict(MISTRAL, rope_theta=300.0, rope_parameters=scaled("default")),
    "qwen2-yarn": dict(QWEN2, rope_theta=300.0, rope_parameters=scaled("yarn", **YARN)),
    "qwen3-default": dict(QWEN3, rope_parameters=scaled("default", rope_theta=300.0)),
    "gemma3-thetas-inside": dict(GEMMA, rope_parameters=dict(
        full_attention=scaled("linear", factor=4.0, rope_theta=300.0),
        sliding_attention=scaled("default", rope_theta=50.0))),
    "gemma3-thetas-outside": dict(GEMMA, rope_theta=300.0, rope_local_base_freq=50.0, rope_parameters=dict(
        full_attention=scaled("linear", factor=4.0), sliding_attention=scaled("default"))),
    "gemma3-one-kind": dict(GEMMA, rope_local_base_freq=50.0, rope_parameters=dict(
        full_attention=scaled("yarn", rope_theta=300.0, **YARN))),
    "gemma3-sliding-scaled": dict(GEMMA, rope_parameters=dict(
        full_attention=scaled("default"), sliding_attention=scaled("linear", factor=2.0, rope_theta=50.0))),
    "gemma3-scaling-beside": dict(GEMMA, rope_scaling=scaled("linear", factor=4.0), rope_parameters=dict(
        full_attention=scaled("default"), sliding_attention=scaled("default"))),
}


def write_folder(folder, config):
    """A folder of the shapes that the config's class has, contents drawn as in ../families."""
    (folder / "config.json").write_text(json.dumps(config))
    loaded = transformers.AutoConfig.from_pretrained(folder)
    shapes = transformers.AutoModelForCausalLM.from_config(loaded).state_dict()
    tensors = []
    weights = {}
    for name, parameter in sorted(shapes.items()):
        if name == "lm_head.weight":
            continue
        shape = list(parameter.shape)
        base, scale = distribution(name, shape, config["model_type"])
        values = np.float32(base) + np.float32(scale) * units(name, int(np.prod(shape)))
        weights[name] = torch.from_numpy(values.reshape(shape))
        tensors.append({"name": name, "shape": shape, "base": base, "scale": scale})
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return tensors


def make(name, config):
    with tempfile.TemporaryDirectory() as text:
        folder = pathlib.Path(text)
        tensors = write_folder(folder, config)
        loaded = transformers.AutoConfig.from_pretrained(folder)
        with InFloat64():
            model = transformers.AutoModelForCausalLM.from_config(loaded, attn_implementation="eager").eval()
        model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        model.double()
    rows = []
    kept = None
    begin = 0
    with torch.no_grad(), InFloat64():
        for size in STEPS:
            result = model(torch.tensor([TOKENS[begin:begin + size]]), past_key_values=kept, use_cache=True)
            kept = result.past_key_values
            begin += size
            rows.append([float(f"{v:.7g}") for v in result.logits[0, -1].tolist()])
    return {"name": name, "config": config, "tensors": tensors, "logits": [rows[0], rows[-1]]}


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "rotary"
    folder.mkdir(parents=True, exist_ok=True)
    cases = [make(name, config) for name, config in (OLDER if MAJOR == 4 else NEWER).items()]
    shapes = {}  # of each family and number of layers, once
    for case in cases:
        key = f"{case['config']['model_type']}-{case['config']['num_hidden_layers']}"
        shapes[key] = case.pop("tensors")
        case["tensors"] = key
    golden = {"made_by": MADE_BY,
              "tokens": TOKENS, "steps": STEPS, "tensors": shapes, "cases": cases}
    text = json.dumps(golden, separators=(",", ":"))
    text = text.replace('{"name"', '\n{"name"').replace('],[', '],\n[')
    (folder / f"transformers-{MAJOR}.json").write_text(text + "\n")
    print(f"{len(cases)} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
