"""Seventeen clusters of 2 to 1,000 modelled phones from a seed, as cluster files.

    clusters.py FOLDER

Speeds, memories and links are drawn from the ranges of the phones and links in platforms/ (their sources
are in platforms/README.md): 12 to 52 GFLOP/s, 2 to 8 GB, memory bandwidth 0.9 bytes for each FLOP; good
Wi-Fi is 320 Mbit/s and 2 ms, crowded Wi-Fi 0.3 to 4.9 MB/s and 9 to 100 ms one way, each pair its own.
"similar" phones differ by 10%. Computing draws 2 to 3 W, similar phones alike; radios 440 mW.
"""
import pathlib
import random
import sys

# name: devices, phones, links
CLUSTERS = {
    "a2": (2, "similar", "good"),
    "b2": (2, "unequal", "poor"),
    "c3": (3, "unequal", "good"),
    "d3": (3, "similar", "poor"),
    "e4": (4, "similar", "medium"),
    "f4": (4, "unequal", "poor"),
    "g6": (6, "similar", "good"),
    "h6": (6, "unequal", "mixed"),
    "i8": (8, "similar", "poor"),
    "j8": (8, "unequal", "medium"),
    "k8": (8, "unequal", "mixed"),
    "l12": (12, "unequal", "good"),
    "m16": (16, "similar", "good"),
    "n16": (16, "unequal", "poor"),
    "o32": (32, "unequal", "good"),
    "p100": (100, "unequal", "medium"),
    "q1000": (1000, "unequal", "good"),
}


def phone(kind, draw):
    gflops = draw.uniform(12, 52) if kind == "unequal" else 26 * draw.uniform(0.9, 1.1)
    memory = draw.uniform(2, 8) if kind == "unequal" else 5 * draw.uniform(0.9, 1.1)
    bandwidth = 0.9 * gflops * (draw.uniform(0.7, 1.4) if kind == "unequal" else 1)
    return gflops, bandwidth, memory


def poor_link(draw):
    return draw.uniform(0.3, 4.9), draw.uniform(9, 100)


def good_link(draw):
    return 40 * draw.uniform(0.8, 1.0), draw.uniform(2, 4)


def cluster(name):
    count, phones, links = CLUSTERS[name]
    draw = random.Random(name)
    power = random.Random(name + " power")
    lines = [f"name: {name}", f"source: seeded, {phones} phones, {links} links (experiments/02-planners/clusters.py)",
             "header: p1", "devices:"]
    for i in range(1, count + 1):
        gflops, bandwidth, memory = phone(phones, draw)
        lines.append(f"  - {{name: p{i}, compute: {gflops:.3f} GFLOP/s, memory_bandwidth: {bandwidth:.3f} GB/s, "
                     f"memory: {memory:.3f} GB, cores: 8, "
                     f"power: {power.uniform(2, 3) if phones == 'unequal' else power.uniform(2.4, 2.6):.3f} W}}")
    lines += ["links:", "  power: 440 mW"]
    lines.append("  default: {bandwidth: %s MB/s, latency: %s ms}" % (("1.5", "17") if links == "poor" else ("40", "2")))
    if links in ("poor", "mixed"):
        lines.append("  between:")
        for a in range(1, count + 1):
            for b in range(1, count + 1):
                if a == b:
                    continue
                poor = links == "poor" or draw.random() < 0.5
                rate, latency = poor_link(draw) if poor else good_link(draw)
                lines.append(f"    - {{from: p{a}, to: p{b}, bandwidth: {rate:.3f} MB/s, latency: {latency:.2f} ms}}")
    if links == "medium":
        lines.append("medium: {bandwidth: 4 MB/s}")
    return "\n".join(lines) + "\n"


def write(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in CLUSTERS:
        (folder / f"{name}.yaml").write_text(cluster(name))
    return {name: folder / f"{name}.yaml" for name in CLUSTERS}


if __name__ == "__main__":
    write(sys.argv[1])
