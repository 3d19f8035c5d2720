#!/usr/bin/env python3
"""Small files of the kinds that stand under a model's name, made by the programs that make them.

Usage: make_file_kinds.py [FILE]   (default: file_kinds.json beside this file)
"""

import bz2
import gzip
import io
import json
import lzma
import pathlib
import sys
import tarfile
import tempfile
import zipfile

import gguf
import numpy as np
import safetensors.numpy
import torch


def torch_saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def scripted():
    twice = torch.jit.ScriptModule()
    twice.define("def forward(self, x):\n    return x * 2\n")  # a trace would name this file's place
    out = io.BytesIO()
    torch.jit.save(twice, out)
    return out.getvalue()


def of_file(write):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "file"
        write(path)
        return path.read_bytes()


def gguf_file(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("token_embd.weight", np.zeros((2, 2), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tar_file():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("config.json")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"{}"))
    return out.getvalue()[:1024]


def zip_file():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(zipfile.ZipInfo("config.json"), "{}")
    return out.getvalue()


def numpy_saved(save):
    out = io.BytesIO()
    save(out)
    return out.getvalue()


weights = {"w": torch.arange(4, dtype=torch.float32)}
pickled = torch_saved(weights)
FILES = {
    "torch-pickle": pickled,
    "torch-pickle-cut": pickled[: len(pickled) // 2],
    "torch-pickle-old": torch_saved({"a": 1}, _use_new_zipfile_serialization=False),
    "torchscript": scripted(),
    "safetensors": safetensors.numpy.save({"w": np.zeros(2, dtype=np.float32)}),
    "gguf": of_file(gguf_file),
    "tar": tar_file(),
    "zip": zip_file(),
    "gzip": gzip.compress(b"{}", mtime=0),
    "bzip2": bz2.compress(b"{}"),
    "xz": lzma.compress(b"{}"),
    "npy": numpy_saved(lambda out: np.save(out, np.zeros(2))),
    "npz": numpy_saved(lambda out: np.savez(out, a=np.zeros(2))),
}

target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "file_kinds.json")
made_by = {"torch": torch.__version__.split("+")[0], "numpy": np.__version__}
files = {name: content.hex() for name, content in FILES.items()}
target.write_text(json.dumps({"made_by": made_by, "files": files}, indent=0) + "\n")
