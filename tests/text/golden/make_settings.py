#!/usr/bin/env python3
"""Makes settings.json: what transformers makes of the files beside a tokenizer; see README.md."""
import base64
import importlib.metadata
import json
import os
import pathlib
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
from sentencepiece import sentencepiece_model_pb2  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {name: importlib.metadata.version(name) for name in ("transformers", "tokenizers")}


def token(content, **flags):
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False,
             "special": True}
    return {"content": content, **plain, **flags}


def marked(content, **flags):
    return {"__type": "AddedToken", **token(content, **flags)}


def config(kind, **fields):
    return {"tokenizer_config.json": {"tokenizer_class": kind, **fields}}


def cases():
    """(name, tokenizer.json, tokenizer.model, files beside it)"""
    qwen, llama = "Qwen2Tokenizer", "LlamaTokenizer"
    ends = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}

    # Who puts what around a text.
    for kind, base, fields in [
            (llama, "tinyllama", {}), ("LlamaTokenizerFast", "tinyllama", {}),
            ("CodeLlamaTokenizer", "tinyllama", {}), ("PreTrainedTokenizerFast", "tinyllama", {}),
            ("GemmaTokenizer", "gemma", {}), ("GemmaTokenizerFast", "gemma", {}),
            ("CohereTokenizerFast", "qwen2", ends), (qwen, "qwen2", ends),
            ("GPTNeoXTokenizerFast", "gpt2", {}), ("GPT2Tokenizer", "gpt2", {}),
            ("BloomTokenizerFast", "bloom", {}),
            (llama, "llama3", {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}),
            ("PreTrainedTokenizerFast", "llama3", {"bos_token": "<|begin_of_text|>"})]:
        for flags in [{}, {"add_bos_token": False}, {"add_bos_token": True, "add_eos_token": True},
                      {"add_bos_token": None, "add_eos_token": None}]:
            yield f"{kind} around {base} {json.dumps(flags)}", base, None, config(kind, **fields, **flags)
    yield "another beginning", "tinyllama", None, config(llama, bos_token="</s>", add_eos_token=True)
    yield "a new beginning", "tinyllama", None, config(llama, bos_token="<new>")
    yield "no beginning", "tinyllama", None, config(llama, bos_token=None, add_bos_token=False)
    yield "no beginning to put", "tinyllama", None, config(llama, bos_token=None)
    for kind, base in [("llama", "tinyllama"), ("mistral", "tinyllama"), ("bloom", "bloom"),
                       ("gemma3_text", "gemma"), ("qwen2", "qwen2"), ("qwen3", "qwen2")]:
        yield f"class of {kind}", base, None, {"config.json": {"model_type": kind}}
    yield "class of config.json", "tinyllama", None, {
        "config.json": {"model_type": "bloom", "tokenizer_class": "LlamaTokenizer"}}

    # A space before a text.
    for kind, base in [("GPT2Tokenizer", "gpt2"), ("GPT2Tokenizer", "bloom"),
                       ("BloomTokenizerFast", "bloom"), ("GPTNeoXTokenizerFast", "gpt2"),
                       (qwen, "qwen2"), (qwen, "gpt2"), ("PreTrainedTokenizerFast", "gpt2"),
                       ("PreTrainedTokenizerFast", "mistral"), ("CohereTokenizerFast", "gpt2")]:
        fields = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"} if base == "gpt2" else {}
        for prefix in (True, False, None):
            yield (f"{kind} on {base} with add_prefix_space {prefix}", base, None,
                   config(kind, add_prefix_space=prefix, **fields))
    yield "a prefix that only the file has", "gpt2+prefix", None, config("GPT2Tokenizer")
    yield "a prefix that nobody takes away", "gpt2+prefix", None, config("GPT2Tokenizer", add_prefix_space=None)
    yield "a prefix and no class of its own", "gpt2+prefix", None, config("PreTrainedTokenizerFast")

    # Ids that tokenizer.json gives are those of the vocabulary, or the next ones.
    for change in ("id of its own", "id of another", "of the vocabulary", "twice"):
        yield f"qwen2 with an {change}", f"qwen2+{change}", None, config(qwen)

    # Tokens that stand beside tokenizer.json only.
    more = {"700": token("<x>", special=False), "650": token("<y>"),
            "651": token("the", special=False, single_word=True),
            "652": token("Of", special=False, normalized=True, lstrip=True)}
    for kind in (qwen, "PreTrainedTokenizerFast", "TokenizersBackend"):
        name = "PreTrainedTokenizerFast" if kind == "TokenizersBackend" else kind
        yield f"{kind} with added_tokens_decoder", "qwen2", None, config(name, added_tokens_decoder=more), kind
        yield f"{kind} with named tokens", "qwen2", None, config(
            name, eos_token="<x>", pad_token="<y>", mask_token="<z>", unk_token=None,
            additional_special_tokens=["<a>", "<tool_call>", marked("<b>", lstrip=True)],
            extra_special_tokens={"image_token": "<img>"}), kind
        yield f"{kind} with added_tokens.json", "qwen2", None, {
            **config(name, eos_token="<x>"),
            "added_tokens.json": {"<x>": 604, "<y>": 605, "<z>": 602, "Of": 606}}, kind
        yield f"{kind} with special_tokens_map.json", "qwen2", None, {
            **config(name, pad_token="<y>", additional_special_tokens=["<a>"]),
            "special_tokens_map.json": {
                "pad_token": token("<x>", rstrip=True), "additional_special_tokens": ["<b>", "<a>"],
                "eos_token": "<|im_end|>"}}, kind
        yield f"{kind} with a map that does not count", "qwen2", None, {
            **config(name, added_tokens_decoder={"604": token("<y>")}, eos_token="<y>"),
            "special_tokens_map.json": {"eos_token": "<x>"}, "added_tokens.json": {"<x>": 605}}, kind

    # Flags that differ from tokenizer.json's.
    for i, (content, flags) in enumerate([
            ("<tool_call>", {"lstrip": True, "rstrip": True}), ("<tool_call>", {"special": False, "normalized": True}),
            ("<|im_end|>", {"special": False, "lstrip": True}), ("<|im_end|>", {"normalized": True, "rstrip": True}),
            ("<|im_end|>", {"single_word": True}), ("<tool_call>", {"single_word": True, "special": False})]):
        number = "603" if content == "<tool_call>" else "602"
        for kind in (qwen, "PreTrainedTokenizerFast"):
            yield (f"{kind}, other flags {i}", "qwen2", None,
                   config(kind, added_tokens_decoder={number: token(content, **flags)}))
            yield (f"{kind}, other flags of an end {i}", "qwen2", None,
                   config(kind, eos_token=marked(content, **flags)))
            yield (f"{kind}, other flags by name {i}", "qwen2", None,
                   config(kind, pad_token=content, added_tokens_decoder={number: token(content, **flags)}))
    yield "flags of gpt2's end", "gpt2", None, config("GPT2Tokenizer", eos_token=marked("<|endoftext|>", lstrip=True))
    yield "special tokens are text", "qwen2", None, config(qwen, split_special_tokens=True)
    yield "spaces cleaned up", "qwen2", None, config(qwen, clean_up_tokenization_spaces=True)
    yield "spaces cleaned up, llama", "tinyllama", None, config(llama, clean_up_tokenization_spaces=True)

    # tokenizer.model alone.
    for pieces in ("spm_llama", "spm_unigram"):
        for legacy in ({}, {"legacy": True}, {"legacy": False}, {"legacy": None}):
            for prefix in ({}, {"add_prefix_space": True}, {"add_prefix_space": False},
                           {"add_prefix_space": None}):
                if pieces == "spm_unigram" and prefix and legacy != {"legacy": False}:
                    continue
                yield (f"{pieces} {json.dumps(legacy)} {json.dumps(prefix)}", None, pieces,
                       config(llama, **legacy, **prefix))
    added = {"560": token("<x>", special=False), "561": token("<y>", lstrip=True)}
    yield "spm_llama with added tokens", None, "spm_llama", config(llama, legacy=False, added_tokens_decoder=added)
    yield "spm_llama with older added tokens", None, "spm_llama", {
        **config(llama, pad_token="<y>"), "added_tokens.json": {"<x>": 560, "<y>": 561}}
    yield "spm_llama with an end", None, "spm_llama", config(llama, add_bos_token=False, add_eos_token=True)
    yield "spm_llama by its config", None, "spm_llama", {"config.json": {"model_type": "llama"}}
    yield "spm_llama of code", None, "spm_llama", config("CodeLlamaTokenizer")
    gemma = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    yield "spm_gemma", None, "spm_gemma+first", config("GemmaTokenizer", **gemma)
    yield "spm_gemma with an end", None, "spm_gemma+first", config("GemmaTokenizer", add_eos_token=True, **gemma)
    for prefix in (True, False, None):
        yield (f"both files, add_prefix_space {prefix}", "tinyllama", "spm_llama",
               config(llama, legacy=False, add_prefix_space=prefix))


CHANGES = {
    "prefix": (["pre_tokenizer", "add_prefix_space"], True),
    "id of its own": (["added_tokens", 3, "id"], 650),
    "id of another": (["added_tokens", 0, "id"], 17),
    "of the vocabulary": (["added_tokens", 3, "content"], "the"),
    "twice": (["added_tokens", 3, "content"], "<|im_end|>"),
}

# Each token that a chat template may write, and a message.
ROLES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "image_token"]
TEMPLATE = ("".join(f"{{{{ {role} }}}}|{{{{ {role} is defined }}}}|" for role in ROLES) +
            "{{ additional_special_tokens }}|{{ messages[0].content }}")
MESSAGE = " a <tool_call>b<x>"

TEXTS = ["Hello world", " a  <tool_call> b<x> <y>c<z>", "the lathe, the <|im_end|>  b<|im_end|>x",
         "Of lOf <s>a</s> <pad>é", "<a> <b> <img> <new>\n<|endoftext|> q", "x . y , don 't  ' s it ?",
         "<start_of_turn>u\n\n\n  z<end_of_turn> ▁<PRE> k", ""]


def write_pieces(name, path):
    base, _, gemma = name.partition("+")
    file = json.loads((HERE / f"{base}.spm.json").read_text())
    if gemma:  # the first pieces in the order that GemmaTokenizer takes them to have
        first = ["<pad>", "<eos>", "<bos>", "<unk>"]
        file["pieces"][:4] = sorted(file["pieces"][:4], key=lambda piece: first.index(piece[0]))
    model = sentencepiece_model_pb2.ModelProto()
    for text, score, kind in file["pieces"]:
        piece = model.pieces.add()
        piece.piece, piece.score, piece.type = text, score, kind
        if kind == 2:
            model.trainer_spec.unk_piece = text
    model.trainer_spec.model_type = file["model_type"]
    model.trainer_spec.byte_fallback = file["byte_fallback"]
    model.trainer_spec.bos_piece, model.trainer_spec.eos_piece = file["bos_piece"], file["eos_piece"]
    model.normalizer_spec.add_dummy_prefix = file["add_dummy_prefix"]
    model.normalizer_spec.remove_extra_whitespaces = file["remove_extra_whitespaces"]
    model.normalizer_spec.precompiled_charsmap = base64.b64decode(file["normalisation_table"])
    path.write_bytes(model.SerializeToString())


def tokenizer_json(name):
    """A golden tokenizer; "NAME+CHANGE" has a value that its family has not."""
    base, _, change = name.partition("+")
    file = json.loads((HERE / f"{base}.tokenizer.json").read_text())
    if change:
        path, value = CHANGES[change]
        place = file
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    return file


def result(base, pieces, files):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if base:
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(base)))
        if pieces:
            write_pieces(pieces, folder / "tokenizer.model")
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content))
        (folder / "chat_template.jinja").write_text(TEMPLATE)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except ValueError:
            return None, None
        found = []
        for text in TEXTS:
            ids = tokenizer(text)["input_ids"]
            found.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True),
                          "kept": tokenizer.decode(ids)})
        prompt = [[{"role": "user", "content": MESSAGE}]]
        chat = {"text": tokenizer.apply_chat_template(prompt, tokenize=False)[0],
                "ids": tokenizer.apply_chat_template(prompt)[0]}
        return found, chat


def main():
    entries = []
    for name, base, pieces, files, *kind in cases():
        found, chat = result(base, pieces, files)
        if kind:  # the class of a later version, which does as the one that made the answers
            files["tokenizer_config.json"]["tokenizer_class"] = kind[0]
        entry = {"name": name, "json": base, "pieces": pieces, "files": files, "answers": found,
                 "chat": chat}
        entries.append(json.dumps(entry, ensure_ascii=True))
    (HERE / "settings.json").write_text(
        '{"made_by": ' + json.dumps(VERSIONS) + ',\n"texts": ' + json.dumps(TEXTS) +
        ',\n"template": ' + json.dumps(TEMPLATE) + ',\n"message": ' + json.dumps(MESSAGE) +
        ',\n"changes": ' + json.dumps(CHANGES) +
        ',\n"cases": [\n' + ",\n".join(entries) + "\n]}\n")


if __name__ == "__main__":
    main()
