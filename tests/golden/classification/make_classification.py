#!/usr/bin/env python3
"""Golden labels of sentences.csv from Hugging Face transformers: see README.md beside this file.

Usage: make_classification.py [FOLDER]   (default: beside this file)
"""

import csv
import json
import pathlib
import sys

from tokenizers import Tokenizer, __version__ as tokenizers_version
from transformers import BloomConfig, LlamaConfig

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import make_families  # noqa: E402

TOKENIZERS = HERE.parents[1] / "text" / "golden"
# Between the two largest logits of a row, as a part of the row's largest: float32 and the sums'
# order cannot change a label.
LEAST_MARGIN = 0.02
SIZES = dict(hidden_size=32, **make_families.LABELS)

SMALL = dict(hidden_size=16, n_layer=1, n_head=2)


def small_bloom(vocabulary, token, **classes):
    return BloomConfig(vocab_size=vocabulary, bos_token_id=token("<s>"), eos_token_id=token("</s>"),
                       pad_token_id=token("<pad>"), **SMALL, **classes)


# With padding in the texts; tokenizer, architecture, config.
PADDED = {
    "bloom-padded": lambda v, t: small_bloom(v, t, **make_families.LABELS),
    "bloom-reward": lambda v, t: small_bloom(v, t, num_labels=1),
    "bloom-several": lambda v, t: small_bloom(v, t, problem_type="multi_label_classification",
                                              **make_families.LABELS),
}
CASES = {
    "bloom": ("BloomForSequenceClassification", lambda vocabulary, token: BloomConfig(
        vocab_size=vocabulary, n_layer=3, n_head=4, bos_token_id=token("<s>"),
        eos_token_id=token("</s>"), pad_token_id=token("<pad>"), **SIZES)),
    "tinyllama": ("LlamaForSequenceClassification", lambda vocabulary, token: LlamaConfig(
        vocab_size=vocabulary, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=token("<s>"), eos_token_id=token("</s>"), **SIZES)),
}


def make(name, architecture, config, rows):
    tokenizer = Tokenizer.from_file(str(TOKENIZERS / f"{name}.tokenizer.json"))
    make_families.SENTENCES = [tokenizer.encode(row["text"]).ids for row in rows]
    golden = make_families.make(name, architecture,
                                config(tokenizer.get_vocab_size(), tokenizer.token_to_id))
    made_by = f"{golden.pop('made_by')}, tokenizers {tokenizers_version}"
    correct = [prompt["label"] == row["label"] for prompt, row in zip(golden["prompts"], rows)]
    return {"made_by": made_by, "tokenizer": f"{name}.tokenizer.json",
            "accuracy": sum(correct) / len(correct), **golden}


def check(name, prompts):
    counts = {label: sum(p["label"] == label for p in prompts)
              for label in make_families.LABELS["label2id"]}
    margins = []
    for prompt in prompts:
        second, first = sorted(prompt["logits"][0])[-2:]
        margins.append((first - second) / max(abs(v) for v in prompt["logits"][0]))
    row = margins.index(min(margins)) + 1
    print(f"{name}: {counts}, least margin {min(margins):.3f} in row {row}")
    if min(margins) < LEAST_MARGIN or min(counts.values()) == 0:
        sys.exit(f"{name}: choose other sentences or sizes")


def make_padded(name, config, rows):
    """With the scores that the pipeline gives from the text, padding of the tokenizer's as it stands."""
    tokenizer = Tokenizer.from_file(str(TOKENIZERS / "bloom.tokenizer.json"))
    make_families.PADDED = [tokenizer.encode(row["text"]).ids for row in rows]
    make_families.WITH_PADDING.add(name)
    golden = make_families.make(name, "BloomForSequenceClassification",
                                config(tokenizer.get_vocab_size(), tokenizer.token_to_id))
    made_by = f"{golden.pop('made_by')}, tokenizers {tokenizers_version}"
    return {"made_by": made_by, "tokenizer": "bloom.tokenizer.json", **golden}


def write(folder, name, golden):
    text = json.dumps(golden, separators=(",", ":"))
    text = text.replace('{"name"', '\n{"name"').replace('{"tokens"', '\n{"tokens"')  # one a line
    (folder / f"{name}.json").write_text(text + "\n")


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    with open(HERE / "sentences.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, (architecture, config) in CASES.items():
        golden = make(name, architecture, config, rows)
        check(name, golden["prompts"])
        write(folder, name, golden)
    with open(HERE / "padded.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, config in PADDED.items():
        write(folder, name, make_padded(name, config, rows))


if __name__ == "__main__":
    main()
