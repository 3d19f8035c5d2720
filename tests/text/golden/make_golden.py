#!/usr/bin/env python3
"""Makes the golden files of this folder; see README.md."""
import base64
import collections
import importlib.metadata
import json
import pathlib
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines(keepends=True)
VERSIONS = {name: importlib.metadata.version(name) for name in ("tokenizers", "sentencepiece")}

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + (r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
                         r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"


def special(*names):
    return [AddedToken(name, special=True, normalized=False) for name in names]


def byte_level(pre_tokenizer, added, vocabulary=600, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(added)
    return tokenizer


def begin_with(tokenizer, name):
    return processors.TemplateProcessing(single=f"{name} $A", pair=f"{name} $A {name} $B",
                                         special_tokens=[(name, tokenizer.token_to_id(name))])


def llama3():
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = byte_level(pre, special("<|begin_of_text|>", "<|end_of_text|>",
                                        "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
                           ignore_merges=True)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False), begin_with(tokenizer, "<|begin_of_text|>")])
    return tokenizer


def qwen2():
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    added = special("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    added.append(AddedToken("<tool_call>", special=False, normalized=False))
    tokenizer = byte_level(pre, added, continuing_subword_prefix="", end_of_word_suffix="")
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False)
    return tokenizer


def bloom():
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(BLOOM), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = byte_level(pre, special("<unk>", "<s>", "</s>", "<pad>"))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def smollm2():
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return byte_level(pre, special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))


def gpt2():
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = byte_level(pre, [AddedToken("<|endoftext|>", special=True, normalized=True)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def with_bytes(specials, pre_tokenizer, once, vocabulary=550):
    """BPE over pieces of SentencePiece's kind: "▁" for spaces, "<0x00>" ... for unknown bytes.

    Of the characters that the corpus has once it knows those of `once`: a trainer that is only told
    how many draws them, others each time."""
    counts = collections.Counter("".join(CORPUS).replace(" ", "▁"))
    alphabet = [c for c in counts if counts[c] > 1 or c in once]
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizer
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=vocabulary, limit_alphabet=len(alphabet), initial_alphabet=alphabet,
        show_progress=False))
    model = json.loads(trained.to_str())["model"]
    learnt = sorted(model["vocab"], key=model["vocab"].get)
    names = specials + [f"<0x{byte:02X}>" for byte in range(256)] + learnt
    return Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)},
                                merges=[tuple(merge) for merge in model["merges"]],
                                unk_token="<unk>", fuse_unk=True, byte_fallback=True))


def tinyllama():
    tokenizer = with_bytes(["<unk>", "<s>", "</s>"],
                           pre_tokenizers.Split("▁", "merged_with_next"),
                           "JPUöüがけこど何当薄輩；")
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens(special("<unk>", "<s>", "</s>"))
    tokenizer.post_processor = begin_with(tokenizer, "<s>")
    return tokenizer


def mistral():
    tokenizer = with_bytes(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"],
                           pre_tokenizers.Split("▁", "merged_with_next"),
                           "3RUöОこも何始所暗泣萬見")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)])
    tokenizer.add_tokens(special("<unk>", "<s>", "</s>", "[INST]", "[/INST]"))
    tokenizer.post_processor = begin_with(tokenizer, "<s>")
    return tokenizer


def gemma():
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    runs = ["\n" * n for n in range(2, 8)] + ["▁" * n for n in range(2, 8)]
    tokenizer = with_bytes(names + runs, pre_tokenizers.Split("▁", "merged_with_next"),
                           "36PОбけまれ吾天所有猫記")
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_tokens(special(*names))
    tokenizer.add_tokens([AddedToken(run, special=False, normalized=False) for run in runs])
    tokenizer.post_processor = begin_with(tokenizer, "<bos>")
    return tokenizer


def odd():
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##",
                                     end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(),
         normalizers.Replace(Regex("[0-9]{4}"), "year")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Split(Regex("[aeiou]x"), "merged_with_previous"),
        pre_tokenizers.Split("qu", "merged_with_next"),
        pre_tokenizers.Split(Regex("z+"), "removed"),
        pre_tokenizers.Split(Regex("[^-]+"), "contiguous", invert=True),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Punctuation("contiguous")])
    # The trainer draws which of equally common characters it knows, and the ids of those with affixes.
    words = [word for line in CORPUS for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(
        tokenizer.normalizer.normalize_str(line))]
    counts = collections.Counter("".join(words))
    alphabet = sorted(counts, key=lambda c: (-counts[c], c))[:60]
    affixed = {"##" * (i > 0) + c + "</w>" * (i == len(word) - 1)
               for word in words for i, c in enumerate(word) if c in alphabet}
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=300, limit_alphabet=60, initial_alphabet=alphabet, show_progress=False,
        special_tokens=["[UNK]"] + sorted(affixed - set(alphabet)),
        continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    trained = json.loads(tokenizer.to_str())
    trained["added_tokens"] = trained["added_tokens"][:1]  # [UNK]
    tokenizer = Tokenizer.from_str(json.dumps(trained))
    tokenizer.add_tokens([
        AddedToken("<left>", lstrip=True, normalized=False),
        AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("<both>", lstrip=True, rstrip=True, normalized=False),
        AddedToken("ABLE", single_word=True, normalized=False),
        AddedToken("été", normalized=True),
        AddedToken("fine fine", normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<left> $A <right> [UNK]", special_tokens=[
            (name, tokenizer.token_to_id(name)) for name in ("<left>", "<right>", "[UNK]")])
    return tokenizer


def train_sentencepiece(**options):
    with tempfile.TemporaryDirectory() as folder:
        prefix = str(pathlib.Path(folder) / "m")
        sentencepiece.SentencePieceTrainer.train(
            input=str(HERE / "corpus.txt"), model_prefix=prefix, minloglevel=2,
            character_coverage=0.98, num_threads=1, **options)
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString(pathlib.Path(prefix + ".model").read_bytes())
        return model


def spm_llama():
    return train_sentencepiece(
        model_type="bpe", vocab_size=560, byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True)


def spm_gemma():
    return train_sentencepiece(
        model_type="bpe", vocab_size=600, byte_fallback=True, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=False, allow_whitespace_only_pieces=True,
        control_symbols=["<start_of_turn>", "<end_of_turn>"],
        user_defined_symbols=["\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁"],
        bos_piece="<bos>", eos_piece="<eos>", pad_id=3)


def spm_unigram():
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        # Composes e + acute, maps full-width A to A, drops U+200B.
        rules.write("65 301\tE9\nFF21\t41\n200B\t\n" +
                    "".join(f"{0xFF41 + i:X}\t{0x61 + i:X}\n" for i in range(26)))
        rules.flush()
        return train_sentencepiece(model_type="unigram", vocab_size=300,
                                   normalization_rule_tsv=rules.name)


def checksum(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def shown(ids):
    return ids if len(ids) <= 200 else {"count": len(ids), "fnv": checksum(",".join(map(str, ids)))}


def write(name, entries):
    lines = ",\n".join(json.dumps(entry, ensure_ascii=True) for entry in entries)
    (HERE / f"{name}.ids.json").write_text(
        "{\"made_by\": " + json.dumps(VERSIONS) + ",\n\"strings\": [\n" + lines + "\n]}\n")


def golden(name, tokenizer, strings):
    text = tokenizer.to_str()
    model = json.loads(text)
    (HERE / f"{name}.tokenizer.json").write_text(
        json.dumps(model, ensure_ascii=True, separators=(",", ":")) + "\n")
    tokenizer = Tokenizer.from_str(json.dumps(model))
    entries = []
    for string in strings:
        entry = {"special": shown(tokenizer.encode(string, add_special_tokens=True).ids)}
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(string, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        entry["plain"] = shown(plain)
        decoded = tokenizer.decode(plain, skip_special_tokens=False)
        if decoded != string:
            entry["text"] = decoded if len(decoded) < 2000 else checksum(decoded)
        entries.append(entry)
    write(name, entries)


def golden_sentencepiece(name, model, strings):
    spec = model.normalizer_spec
    pieces = [[piece.piece, piece.score, piece.type] for piece in model.pieces]
    trainer = model.trainer_spec
    as_text = {"model_type": trainer.model_type, "byte_fallback": trainer.byte_fallback,
               "bos_piece": trainer.bos_piece, "eos_piece": trainer.eos_piece,
               "add_dummy_prefix": spec.add_dummy_prefix,
               "remove_extra_whitespaces": spec.remove_extra_whitespaces,
               "normalisation_table": base64.b64encode(spec.precompiled_charsmap).decode(),
               "pieces": pieces}
    (HERE / f"{name}.spm.json").write_text(json.dumps(as_text, separators=(",", ":")) + "\n")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    entries = []
    for string in strings:
        plain = processor.encode(string)
        entry = {"plain": shown(plain)}
        decoded = processor.decode(plain)
        if decoded != string:
            entry["text"] = decoded if len(decoded) < 2000 else checksum(decoded)
        entries.append(entry)
    write(name, entries)


def main():
    strings = [entry["text"] * entry.get("repeat", 1)
               for entry in json.loads((HERE / "strings.json").read_text(encoding="utf-8"))]
    for make in (llama3, qwen2, bloom, smollm2, gpt2, tinyllama, mistral, gemma, odd):
        golden(make.__name__, make(), strings)
    for make in (spm_llama, spm_gemma, spm_unigram):
        golden_sentencepiece(make.__name__, make(), strings)


if __name__ == "__main__":
    main()
