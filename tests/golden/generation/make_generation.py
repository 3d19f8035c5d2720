#!/usr/bin/env python3
"""Golden answers and perplexities of texts from Hugging Face transformers: see README.md beside this file.

Usage: make_generation.py [FOLDER]   (default: beside this file)
"""

import json
import math
import pathlib
import sys

from tokenizers import Tokenizer, __version__ as tokenizers_version
from transformers import BloomConfig, LlamaConfig

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import make_families  # noqa: E402

TOKENIZERS = HERE.parents[1] / "text" / "golden"
PROMPTS = ["Grüße aus Köln 🎉", "The capital of France is", "3 + 4 =",
           "Once upon a time,\nin a land"]
ANSWER = 12  # tokens
SCORED = ("The ferry had left with half of its cargo; nobody on the pier, not even the clerk, knew why. "
          "Über dem Hafen zog Nebel auf. 'Count the crates again,' she said.\n\n"
          "1 + 1 = 2, and 2 + 2 = 4: nobody doubted it. — Why would they?\n"
          "for (int i = 0; i < 10; ++i) sum += i * i;\n")
CONTEXTS = [512, 24]
# Between the two largest logits, as a part of the largest: float32 and the sums' order cannot
# change a token.
LEAST_MARGIN = 0.001

CASES = {
    "bloom": ("BloomForCausalLM", lambda vocabulary, token: BloomConfig(
        vocab_size=vocabulary, hidden_size=32, n_layer=4, n_head=4, bos_token_id=token("<s>"),
        eos_token_id=token("</s>"), pad_token_id=token("<pad>"))),
    "tinyllama": ("LlamaForCausalLM", lambda vocabulary, token: LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, bos_token_id=token("<s>"),
        eos_token_id=token("</s>"))),
}


class Model:
    def __init__(self, name, architecture, config):
        self.tokenizer = Tokenizer.from_file(str(TOKENIZERS / f"{name}.tokenizer.json"))
        config = config(self.tokenizer.get_vocab_size(), self.tokenizer.token_to_id)
        self.make = lambda: make_families.make(name, architecture, config)

    def logits(self, sequences):
        """One list of rows for each sequence, one row for each of its positions."""
        make_families.PROMPTS = sequences
        return [prompt["logits"] for prompt in self.make()["prompts"]]

    def description(self):
        make_families.PROMPTS = []
        return self.make()


def greedy(model):
    prompts = [model.tokenizer.encode(text).ids for text in PROMPTS]
    answers = [[] for _ in prompts]
    margins = []
    for _ in range(ANSWER):
        rows = model.logits([prompt + answer for prompt, answer in zip(prompts, answers)])
        for answer, logits in zip(answers, rows):
            second, first = sorted(logits[-1])[-2:]
            margins.append((first - second) / first)
            answer.append(logits[-1].index(first))
    runs = []
    for text, prompt, answer in zip(PROMPTS, prompts, answers):
        before = model.tokenizer.decode(prompt)
        runs.append({"text": text, "prompt": prompt, "answer": answer,
                     "answer_text": model.tokenizer.decode(prompt + answer)[len(before):]})
    return runs, min(margins)


def score(model, context):
    """Windows of at most `context` tokens, one after the other. Each begins with what the tokenizer puts
    before a text; its first token is not predicted."""
    begin = model.tokenizer.encode("").ids
    ids = model.tokenizer.encode(SCORED, add_special_tokens=False).ids
    step = context - len(begin)
    windows = [begin + ids[at:at + step] for at in range(0, len(ids), step)]
    nll, predicted = 0.0, 0
    for window, logits in zip(windows, model.logits(windows)):
        for row, target in zip(logits, window[1:]):
            largest = max(row)
            nll -= row[target] - largest - math.log(sum(math.exp(v - largest) for v in row))
            predicted += 1
    return {"context": context, "tokens": len(ids), "predicted": predicted, "nll": nll}


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    for name, (architecture, config) in CASES.items():
        model = Model(name, architecture, config)
        runs, margin = greedy(model)
        scores = [score(model, context) for context in CONTEXTS]
        print(f"{name}: least margin {margin:.4f}, nll {[score['nll'] for score in scores]}")
        if margin < LEAST_MARGIN:
            sys.exit(f"{name}: choose other prompts or sizes")
        golden = model.description()
        golden["made_by"] += f", tokenizers {tokenizers_version}"
        golden.update(tokenizer=f"{name}.tokenizer.json", runs=runs,
                      scored={"text": SCORED, "scores": scores})
        text = json.dumps(golden, separators=(",", ":"))
        for key in ("name", "text", "context"):  # one object a line
            text = text.replace(f'{{"{key}"', f'\n{{"{key}"')
        (folder / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
