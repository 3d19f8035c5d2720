"""Writes torchscript.json: TorchScript files by PyTorch 2.6 (hex), their inputs, and what it computes.

Usage: python make_torchscript.py (needs torch 2.6 and transformers 4.57). A second run writes the
same file. Debug records, which hold paths of the machine, are left out of the archives.
"""
import io
import json
import os
import pathlib
import sys
import zipfile
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if os.environ.get("PYTHONHASHSEED") != "0":  # torch.jit.script writes __constants__, a set, as it comes
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
torch.set_num_threads(1)  # sums of several threads end in other digits


def archive(script):
    saved = io.BytesIO()
    torch.jit.save(script, saved)
    result = io.BytesIO()
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            if not name.endswith((".debug_pkl", "serialization_id")):
                new.writestr(zipfile.ZipInfo("m/" + name.split("/", 1)[1]), old.read(name))
    return result.getvalue().hex()


def tensor(value):
    value = value.detach().contiguous()
    bytes_of = value.flatten().view(torch.uint8) if value.numel() else value.flatten()
    return {
        "dtype": str(value.dtype).replace("torch.", ""),
        "shape": list(value.shape),
        "data": bytes(bytes_of.tolist()).hex(),
    }


def flat(value):
    if isinstance(value, Tensor):
        return [value]
    if value is None or isinstance(value, (int, float)):
        return []
    if isinstance(value, dict):
        value = value.values()
    return [leaf for element in value for leaf in flat(element)]


def text(name, value):
    if isinstance(value, Tensor):
        return f"{name}={'x'.join(map(str, value.shape))}:{str(value.dtype).replace('torch.', '')}"
    if isinstance(value, (tuple, list)) and flat(value):
        return f"{name}=" + ",".join(text("", leaf)[1:] for leaf in flat(value))
    if isinstance(value, list):
        return f"{name}=" + ",".join(map(str, value))
    return f"{name}={'none' if value is None else value}"


cases = {}


def case(name, module, *inputs, trace=True, **options):
    torch.manual_seed(1)
    module.eval()
    with torch.no_grad():
        script = torch.jit.trace(module, inputs, **options) if trace else torch.jit.script(module)
        outputs = flat(module(*inputs))
    names = [argument.name for argument in script.forward.schema.arguments][1:]
    cases[name] = {
        "archive": archive(script),
        "input_texts": [text(n, value) for n, value in zip(names, inputs)],
        "inputs": [tensor(leaf) for leaf in flat(inputs)],
        "outputs": [tensor(leaf) for leaf in outputs],
    }


class Attention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.options = options

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, **self.options)


class MaskedAttention(Attention):
    def forward(self, q, k, v, mask):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, **self.options)


class ScriptedAttention(nn.Module):
    def forward(self, q, k, v, mask: Optional[Tensor], causal: bool, scale: Optional[float]):
        return F.scaled_dot_product_attention(q, k, v, mask, 0.0, causal, scale=scale)


class Math(nn.Module):
    def forward(self, q, k, v):
        return torch._scaled_dot_product_attention_math(q, k, v, is_causal=True, scale=0.3)


class Dims(nn.Module):
    def forward(self, x):
        y = torch.squeeze(x, (0, -2))
        return y, torch.any(y > 1, (0, 1)), torch.all(y > -1, dim=(-1, 0), keepdim=True)


class Softmax(nn.Module):
    def forward(self, x):
        return torch.ops.aten._safe_softmax(x, -1)


class TupleLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3)

    def forward(self, x, state):
        return self.lstm(x, state)


class LstmParts(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, num_layers=2, bidirectional=True)

    def forward(self, x):
        output, (h, c) = self.lstm(x)
        return output, (h, c)


class LstmBegun(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x, h, c):
        return self.lstm(x, (h, c))


class CellLoop(nn.Module):
    """A state that a loop carries, with as many rounds as the input is long."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 3)

    def forward(self, x):
        state = (torch.zeros(x.size(1), 3), torch.zeros(x.size(1), 3))
        outputs: List[Tensor] = []
        for i in range(x.size(0)):
            state = self.cell(x[i], state)
            outputs.append(state[0])
        return torch.stack(outputs), state


class Scripted(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class ListInput(nn.Module):
    def forward(self, xs: List[Tensor], by: int, plus: float, negate: bool, sizes: List[int]):
        x = torch.cat(xs, 1) * by + plus
        return -x.reshape(sizes) if negate else x


class PairInput(nn.Module):
    def forward(self, x, pairs: Tuple[Tuple[Tensor, Tensor], Tuple[Tensor, Tensor]]):
        (a, b), (c, d) = pairs
        return x + a * b - c * d


class ListOutput(nn.Module):
    def forward(self, x):
        return torch.split(x * 2, 2, 1)


class ListOfInput(nn.Module):
    def forward(self, x) -> List[Tensor]:
        return x.unbind(0)


class NestedOutput(nn.Module):
    def forward(self, x) -> Tuple[Tensor, Tuple[Tensor, Optional[Tensor]], List[Tensor]]:
        return x + 1, (x * 2, None), [x - 1, x]


class DictOutput(nn.Module):
    def forward(self, x) -> Dict[str, Tensor]:
        return {"twice": x * 2, "half": x / 2}


class IdleDropout(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.0, training=True) + F.rrelu(x, training=False)


class Counter(nn.Module):
    """Writes its attributes, in training mode only."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))
        self.calls = 0

    def forward(self, x):
        if self.training:
            self.seen = self.seen + x.sum(0)
            self.calls += 1
        return x - self.seen


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import BertConfig, BertModel

        self.bert = BertModel(BertConfig(
            vocab_size=19, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=12, max_position_embeddings=16, attn_implementation="sdpa"))

    def forward(self, ids, mask):
        return self.bert(ids, mask, return_dict=False)


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import LlamaConfig, LlamaForCausalLM

        self.llama = LlamaForCausalLM(LlamaConfig(
            vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, intermediate_size=12, use_cache=False,
            attn_implementation="sdpa"))

    def forward(self, ids):
        n = ids.shape[1]
        mask = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
        return self.llama(ids, attention_mask=mask, return_dict=False)[0]


torch.manual_seed(0)
q, k, v = (torch.randn(2, 4, n, 6) for n in (3, 5, 5))
grouped = [torch.randn(2, 2, 5, 6) for _ in range(2)]
bools = torch.rand(2, 1, 3, 5) > 0.4
bools[0, 0, 1] = False
case("attention", Attention(), q, k, v)
case("attention_causal", Attention(is_causal=True), q, k, v)
case("attention_scale", Attention(scale=0.2, is_causal=True), k, k, v)
case("attention_bool_mask", MaskedAttention(), q, k, v, bools)
case("attention_float_mask", MaskedAttention(scale=1.5), q, k, v, torch.randn(3, 5))
case("attention_grouped", Attention(enable_gqa=True), q, *grouped)
case("attention_bf16", Attention(), *(x.bfloat16() for x in (q, k, v)))
case("attention_fp64", Attention(), *(x.double() for x in (q, k, v)))
case("attention_three_dims", Attention(), q[0], k[0], v[0])
case("attention_scripted", ScriptedAttention(), q, k, v, bools, False, 0.7, trace=False)
case("attention_no_mask", ScriptedAttention(), q, k, v, None, True, None, trace=False)
case("attention_math", Math(), q, k, v)
case("rms_norm", nn.RMSNorm(6), q)
case("rms_norm_epsilon", nn.RMSNorm([5, 6], eps=1e-2), k)
case("rms_norm_no_weight", nn.RMSNorm(6, elementwise_affine=False), q)
case("rms_norm_bf16", nn.RMSNorm(6).bfloat16(), q.bfloat16())
case("dims", Dims(), torch.randn(1, 3, 1, 4))
case("safe_softmax", Softmax(), torch.tensor([[1.0, 2.0], [-torch.inf, -torch.inf]]))
case("gru_scripted", Scripted(nn.GRU(4, 3, batch_first=True)), torch.randn(2, 5, 4), trace=False)
case("rnn_traced", nn.RNN(4, 3), torch.randn(5, 2, 4))
state = (torch.randn(1, 2, 3), torch.randn(1, 2, 3))
case("lstm_state", TupleLstm(), torch.randn(5, 2, 4), state)
case("list_input", ListInput(), [torch.randn(2, 3), torch.randn(2, 1)], 3, 0.5, True, [4, 2],
     trace=False)
case("pair_input", PairInput(), torch.randn(3), tuple(
    tuple(torch.randn(3) for _ in range(2)) for _ in range(2)), trace=False)
case("list_output", ListOutput(), torch.randn(2, 5))
case("list_of_input", ListOfInput(), torch.randn(3, 2), trace=False)
case("nested_output", NestedOutput(), torch.randn(3), trace=False)
case("dict_output", DictOutput(), torch.randn(3), trace=False)
case("idle_dropout", IdleDropout(), torch.randn(3))
case("training_only", Counter(), torch.randn(2, 3), trace=False)
case("encoder_layer", nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), torch.randn(2, 5, 8))
case("encoder_scripted", nn.TransformerEncoderLayer(8, 2, 12), torch.randn(5, 2, 8), trace=False)
case("bert", Bert(), torch.randint(19, (1, 7)), torch.tensor([[1, 1, 1, 1, 1, 0, 0]]))
case("llama", Llama(), torch.randint(19, (1, 7)))
case("lstm_scripted", Scripted(nn.LSTM(4, 3, num_layers=2, bidirectional=True)),
     torch.randn(5, 2, 4), trace=False)
case("lstm_parts_scripted", LstmParts(), torch.randn(5, 2, 4), trace=False)
case("lstm_begun_scripted", LstmBegun(), torch.randn(2, 5, 4), *state,
     trace=False)
case("lstm_cells_scripted", CellLoop(), torch.randn(5, 2, 4), trace=False)
golden = {"torch": torch.__version__.split("+")[0], "cases": cases}
path = pathlib.Path(__file__).with_name("torchscript.json")
path.write_text(json.dumps(golden, indent=1) + "\n")
