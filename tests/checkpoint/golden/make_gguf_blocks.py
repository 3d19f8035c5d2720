#!/usr/bin/env python3
"""Writes gguf_blocks.json: random blocks of each quantised format of GGUF and the float32 that the
gguf package makes of them. Needs: pip install gguf (0.17 or later)."""
import json

import gguf
import numpy as np

BLOCKS = 3
# Where the half-precision scales of a block are, in bytes.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0],
}


def main():
    rng = np.random.default_rng(20240229)
    rows = []
    for name, scales in SCALES.items():
        kind = gguf.GGMLQuantizationType[name]
        _, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
        for at in scales:
            # An ordinary scale, a negative one, and a subnormal one.
            values = np.array([rng.uniform(0.001, 0.1), -rng.uniform(1, 100), 2.0**-20 * 1.5], np.float16)
            blocks[:, at:at + 2] = values.view(np.uint8).reshape(BLOCKS, 2)
        floats = gguf.dequantize(blocks, kind).reshape(-1)
        rows.append({
            "format": name,
            "id": int(kind),
            "blocks": blocks.tobytes().hex(),
            "float32": floats.astype("<f4").tobytes().hex(),
        })
    with open("gguf_blocks.json", "w", encoding="ascii") as out:
        out.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


main()
