"""Compares lingua with llama.cpp on one GGUF file: see README.md. Started by `run`."""

import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

import llama_cpp
import numpy as np

HERE = pathlib.Path(__file__).parent
LINGUA = os.environ["LINGUA"]
PARTS = os.environ.get("PARTS", "tokens greedy perplexity speed").split()
VARIANTS = {
    "fp32": ["--dtype", "fp32"],
    "bf16": ["--dtype", "bf16"],
    "int8 fp32": ["--dtype", "fp32", "--int8", "all"],
    "int8 bf16": ["--dtype", "bf16", "--int8", "all"],
}
THREADS = 2
GREEDY_TOKENS = 32
CONTEXT = 512
SPEED_TOKENS = 64
SPEED_ROUNDS = 5


def say(text=""):
    print(text, flush=True)


def lingua(model, *arguments):
    command = [LINGUA, *arguments, "--model", model, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"compare.py: {' '.join(command)}\n{done.stderr.strip()}")
    return json.loads(done.stdout)


class Llama:
    """llama.cpp with the logits of every position."""

    def __init__(self, model):
        self.llama = llama_cpp.Llama(model_path=model, n_ctx=CONTEXT + 64, n_batch=CONTEXT + 64,
                                     n_threads=THREADS, n_threads_batch=THREADS, logits_all=True,
                                     verbose=False)
        self.bos = self.llama.token_bos()

    def tokenize(self, text):
        """The ids, with BOS before them."""
        return self.llama.tokenize(text.encode(), add_bos=True, special=False)

    def logits(self, ids):
        """[len(ids), vocabulary], float32."""
        self.llama.reset()
        self.llama.eval(ids)
        return self.llama.scores[:len(ids)]

    def apart(self, ids, answer):
        """Where it chooses otherwise than answer, given all before; and its logits there."""
        logits = self.logits(ids + answer)[len(ids) - 1:-1]
        return [i for i, token in enumerate(answer) if int(np.argmax(logits[i])) != token], logits

    def next_logits(self, ids, reset):
        """After all of ids; without reset, ids continue what was given before."""
        if reset:
            self.llama.reset()
        self.llama.eval(ids)
        return self.llama.scores[self.llama.n_tokens - 1]

    def greedy(self, ids, count):
        made = []
        logits = self.next_logits(ids, True)
        while len(made) < count:
            made.append(int(np.argmax(logits)))
            if len(made) < count:
                logits = self.next_logits(made[-1:], False)
        return made


def without_bos(ids, bos):
    return ids[1:] if ids[:1] == [bos] else ids


def compare_tokens(model, llama, prompts, text_file):
    say("tokens: ids equal")
    texts = {"prompts": prompts, text_file.name: [text_file.read_text()]}
    for name, all_texts in texts.items():
        equal = total = 0
        for text in all_texts:
            if len(all_texts) == 1:
                ours = lingua(model, "tokenize", str(text_file))["ids"]
            else:
                ours = lingua(model, "tokenize", "--text", text)["ids"]
            ours = without_bos(ours, llama.bos)
            theirs = without_bos(llama.tokenize(text), llama.bos)
            total += max(len(ours), len(theirs))
            equal += sum(a == b for a, b in zip(ours, theirs))
        say(f"  {name:<12} {equal} of {total}")
    say()


def first_difference(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return i
    return None


def gap(logits, chosen):
    """How far the chosen token is below the best."""
    return float(np.max(logits) - logits[chosen])


def compare_greedy(model, llama, prompts):
    theirs = [llama.greedy(llama.tokenize(p), GREEDY_TOKENS) for p in prompts]
    say(f"greedy: {len(prompts)} prompts, {GREEDY_TOKENS} tokens each. equal: tokens equal position "
        "by position;")
    say("forced: positions of our answer where llama.cpp, given the same tokens before, chooses ours;")
    say("gap: how far ours is below llama.cpp's choice there, in logits")
    forced = sum(len(answer) - len(llama.apart(llama.tokenize(p), answer)[0])
                 for p, answer in zip(prompts, theirs))
    total = sum(map(len, theirs))
    say(f"  llama.cpp's own answers, forced: {forced} of {total} (all tokens at once round otherwise than "
        "one by one)")
    for name, options in VARIANTS.items():
        arguments = [x for p in prompts for x in ("--prompt", p)]
        result = lingua(model, "run", "--local", "--workers", "1", "--threads", str(THREADS),
                        "--ignore-eos", "--max-tokens", str(GREEDY_TOKENS), *options, *arguments)
        equal = total = forced = 0
        gaps, lines = [], []
        for prompt, request, other in zip(prompts, result["requests"], theirs):
            ours = request["tokens"]
            apart, logits = llama.apart(llama.tokenize(prompt), ours)
            total += len(ours)
            equal += sum(a == b for a, b in zip(ours, other))
            forced += len(ours) - len(apart)
            gaps += [gap(logits[i], ours[i]) for i in apart]
            first = first_difference(ours, other)
            if first is not None:
                lines.append(f"    {prompt[:36]!r:<40} first differs at {first:>2}, gap "
                             f"{gap(logits[first], ours[first]):.3f}")
        largest = f", largest gap {max(gaps):.3f}" if gaps else ""
        say(f"  {name:<10} equal {equal} of {total} ({100 * equal / total:.1f} %), forced {forced} of "
            f"{total} ({100 * forced / total:.1f} %){largest}")
        for line in lines:
            say(line)
    say()


def windows(ids, bos):
    size = CONTEXT - 1
    return [[bos] + ids[i:i + size] for i in range(0, len(ids), size)]


def log_likelihood(logits, targets):
    total = 0.0
    for row, target in zip(logits, targets):
        wide = row.astype(np.float64)
        top = wide.max()
        total += wide[target] - top - math.log(np.exp(wide - top).sum())
    return total


def compare_perplexity(model, llama, text_file):
    ids = without_bos(llama.tokenize(text_file.read_text()), llama.bos)
    nll, predicted = 0.0, 0
    for window in windows(ids, llama.bos):
        nll -= log_likelihood(llama.logits(window), window[1:])
        predicted += len(window) - 1
    theirs = math.exp(nll / predicted)
    say(f"perplexity of {text_file.name}, windows of {CONTEXT} tokens, BOS included")
    say(f"  {'llama.cpp':<10} {theirs:.4f}  ({predicted} tokens predicted)")
    for name, options in VARIANTS.items():
        ours = lingua(model, "score", str(text_file), "--local", "--workers", "1", "--context",
                      str(CONTEXT), "--threads", str(THREADS), *options)
        if ours["predicted"] != predicted:
            sys.exit(f"compare.py: lingua predicted {ours['predicted']} tokens, not {predicted}")
        say(f"  {name:<10} {ours['perplexity']:.4f}  ({100 * (ours['perplexity'] / theirs - 1):+.2f} %)")
    say()


def llama_speed(llama, ids, count):
    """Seconds per token of `count` greedy tokens after the first."""
    token = int(np.argmax(last_logits(llama, ids, True)))
    start = time.perf_counter()
    for _ in range(count - 1):
        token = int(np.argmax(last_logits(llama, [token], False)))
    return (time.perf_counter() - start) / (count - 1)


def last_logits(llama, ids, reset):
    if reset:
        llama.reset()
    llama.eval(ids)
    return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(llama.ctx, -1),
                                 shape=(llama.n_vocab(),))


def compare_speed(model, prompt):
    llama = llama_cpp.Llama(model_path=model, n_ctx=CONTEXT, n_threads=THREADS,
                            n_threads_batch=THREADS, verbose=False)
    ids = llama.tokenize(prompt.encode(), add_bos=True, special=False)
    say(f"decode speed: {THREADS} threads, {SPEED_TOKENS} tokens, medians of {SPEED_ROUNDS} "
        "alternating rounds")
    seconds = {"llama.cpp": []} | {name: [] for name in VARIANTS}
    for _ in range(SPEED_ROUNDS):
        seconds["llama.cpp"].append(llama_speed(llama, ids, SPEED_TOKENS))
        for name, options in VARIANTS.items():
            result = lingua(model, "run", "--local", "--workers", "1", "--threads", str(THREADS),
                            "--ignore-eos", "--max-tokens", str(SPEED_TOKENS), "--prompt", prompt,
                            *options)
            made = len(result["requests"][0]["tokens"])
            if made != SPEED_TOKENS:
                sys.exit(f"compare.py: {name} made {made} tokens, not {SPEED_TOKENS}")
            seconds[name].append(result["tpot_s"])
    theirs = statistics.median(seconds["llama.cpp"])
    for name, values in seconds.items():
        middle = statistics.median(values)
        say(f"  {name:<10} {1 / middle:7.1f} tokens/s  ({1e3 * middle:.2f} ms/token, "
            f"{1e3 * min(values):.2f} to {1e3 * max(values):.2f})  ratio {theirs / middle:.2f}")


def main():
    model, version = sys.argv[1:]
    if llama_cpp.__version__ != version:
        sys.exit(f"compare.py: needs llama-cpp-python {version}, not {llama_cpp.__version__}")
    prompts = json.loads((HERE / "prompts.json").read_text())
    text_file = HERE / "alice.txt"
    say(f"{pathlib.Path(model).name}, llama-cpp-python {version}")
    say()
    if set(PARTS) - {"speed"}:
        llama = Llama(model)
        if "tokens" in PARTS:
            compare_tokens(model, llama, prompts, text_file)
        if "greedy" in PARTS:
            compare_greedy(model, llama, prompts)
        if "perplexity" in PARTS:
            compare_perplexity(model, llama, text_file)
        del llama
    if "speed" in PARTS:
        compare_speed(model, prompts[1])


main()
