"""Writes npy.json: files as numpy.save makes them (hex), and the values they hold.

Usage: python make_npy.py (needs numpy). A second run writes the same file.
"""
import io
import json
import pathlib

import numpy as np

CASES = {
    "float32": np.arange(6, dtype="<f4").reshape(2, 3) / 4 - 1,
    "float64_scalar": np.float64(-2.5),
    "float16": np.array([1.5, -0.25, 65504], dtype="<f2"),
    "int64_empty": np.zeros((0, 3), dtype="<i8"),
    "int64": np.array([[-1], [2**40]], dtype="<i8"),
    "int32_big_endian": np.arange(-2, 4, dtype=">i4").reshape(3, 2),
    "float64_fortran": np.asfortranarray(np.arange(24, dtype="<f8").reshape(2, 3, 4)),
    "int16_big_fortran": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    "int8": np.array([-128, 127], dtype="i1"),
    "uint8": np.array([0, 255], dtype="u1"),
    "bool": np.array([True, False, True]),
}
REFUSED = {
    "object": np.array([{"a": 1}], dtype=object),
    "complex": np.array([1 + 2j]),
    "text": np.array(["ab"]),
    "fields": np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]),
    "uint64": np.array([1], dtype="<u8"),
    "time": np.array(["2020-01-01"], dtype="datetime64[D]"),
}


def saved(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version)
    return out.getvalue().hex()


def accepted(array, version=None):
    array = np.asanyarray(array)
    return {
        "file": saved(array, version),
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": array.astype(array.dtype.newbyteorder("<")).tobytes("C").hex(),
        "written_as_read": version is None and array.dtype.byteorder != ">" and not (
            array.ndim > 1 and np.isfortran(array)),
    }


files = {name: accepted(array) for name, array in CASES.items()}
for version in ((2, 0), (3, 0)):
    files[f"version_{version[0]}"] = accepted(CASES["float32"], version)
golden = {"accepted": files, "refused": {name: saved(array) for name, array in REFUSED.items()}}
path = pathlib.Path(__file__).with_name("npy.json")
path.write_text(json.dumps(golden, indent=1) + "\n")
