#!/usr/bin/env python3
"""A model of tests/golden/families as a folder, its weights drawn as the README there says.

golden_model.py FAMILY FOLDER: prints, as JSON, the longest prompt and the token that transformers finds most likely after it.
"""
import array
import json
import math
import pathlib
import sys

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "families"
WHOLE = 2**64 - 1


def drawn(tensor):
    """Its values, float32 in the order of the file."""
    seed = 14695981039346656037
    for byte in tensor["name"].encode():
        seed = ((seed ^ byte) * 1099511628211) & WHOLE
    values = array.array("f")
    for i in range(1, math.prod(tensor["shape"]) + 1):
        z = (seed + i * 0x9E3779B97F4A7C15) & WHOLE
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WHOLE
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WHOLE
        z ^= z >> 31
        values.append(tensor["base"] + tensor["scale"] * ((z >> 40) / 2**23 - 1))
    return values.tobytes()


def write(golden, folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(golden["config"]))
    header, parts, at = {}, [], 0
    for tensor in golden["tensors"]:
        parts.append(drawn(tensor))
        header[tensor["name"]] = {"dtype": "F32", "shape": tensor["shape"], "data_offsets": [at, at + len(parts[-1])]}
        at += len(parts[-1])
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def main():
    family, folder = sys.argv[1:]
    golden = json.loads((GOLDEN / f"{family}.json").read_text())
    write(golden, pathlib.Path(folder))
    prompt = max(golden["prompts"], key=lambda each: len(each["tokens"]))
    logits = prompt["logits"][-1]
    print(json.dumps({"prompt": prompt["tokens"], "next": logits.index(max(logits))}))


main()
