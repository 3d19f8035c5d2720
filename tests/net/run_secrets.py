"""Prints what of a run a listener must not learn, for `capture.py search`.

    run_secrets.py FOLDER MODEL PROMPT MEMORY DEVICE...

FOLDER as captured_test.sh leaves it; MODEL: a folder; PROMPT: its text; MEMORY: bytes that each device says it has.
"""
import base64
import json
import pathlib
import re
import struct
import sys

WINDOW = 3  # tokens that follow each other


def ids(tokens):
    return [struct.pack(f"<{WINDOW}q", *tokens[i:i + WINDOW]) for i in range(len(tokens) - WINDOW + 1)]


def key_forms(text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return [text.encode(), raw, raw.hex().encode()]


def keys_in(folder):
    """Of all users: their secret keys, and the public ones that they know."""
    secret, public = [], set()
    for config in folder.glob("home-*/.config/lingua"):
        secret.append((config / "key").read_text().split()[-1])
        for known in config.glob("known_*"):
            public |= {line.split()[2] for line in known.read_text().splitlines() if line.startswith("known ")}
    return secret, sorted(public)


def main():
    folder, model, prompt, memory, *devices = sys.argv[1:]
    folder, model = pathlib.Path(folder), pathlib.Path(model)
    answer = json.loads((folder / "c.out").read_text())["requests"][0]
    asked = json.loads((folder / "prompt.json").read_text())["ids"]
    stored = (model / "model.safetensors").read_bytes()
    names = json.loads(stored[8:8 + struct.unpack_from("<Q", stored)[0]])
    lines = re.findall(r"--join (\S+)", (folder / "c.err").read_text())
    tokens = [line.split("/")[5] for line in lines]
    secret, public = keys_in(folder)
    secrets = []

    def add(what, forms, in_clear):
        secrets.append({"what": what, "hex": [form.hex() for form in forms], "in_clear": in_clear})

    add("the prompt's token ids", ids(asked), True)
    add("the answer's token ids", ids(answer["tokens"]), True)
    add("the prompt's words", [word.encode() for word in re.findall(r"\w{6,}", prompt)] + [prompt.encode()], False)
    add("the answer as text", [answer["text"].encode()], False)
    add("pieces of programs", [b"aten::", b"bytecode.pkl", b"PK\x03\x04\x00\x00"], True)
    add("names of weights", [name.encode() for name in names if name != "__metadata__"], True)
    add("names of devices", [name.encode() for name in devices], True)
    add("their memory", [struct.pack("<d", float(memory))], True)
    add("the model's name", [model.name.encode()], False)
    add("join lines", [line.encode() for line in lines], False)
    add("join tokens", [form for token in tokens for form in key_forms(token)], False)
    add("secret keys", [form for key in secret for form in key_forms(key)], False)
    add("public keys", [form for key in public for form in key_forms(key)], False)
    json.dump({"weights": str(model / "model.safetensors"), "secrets": secrets}, sys.stdout)


if __name__ == "__main__":
    main()
