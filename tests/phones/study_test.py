#!/usr/bin/env python3
"""A whole study on three pretended phones: the same tokens, all files, and phones as they were.

study_test.py LINGUA [BUNDLE]. With a bundle for arm64 phones run it by qemu-aarch64-static; else they run the program of this
machine.
"""
import csv
import os
import pathlib
import re
import shutil
import sys
import xml.etree.ElementTree

from studies import Studies, host_phone, main

BUNDLE = pathlib.Path(sys.argv.pop(1)).resolve() if sys.argv[1:] and sys.argv[1].endswith(".tar.gz") else None
SETTINGS = [{"system.screen_off_timeout": "30000"}, {"system.screen_off_timeout": "60000", "global.stay_on_while_plugged_in": "2"}, {}]


class ThreePhones(Studies):
    def three(self):
        qemu = {"emulator": shutil.which("qemu-aarch64-static")} if BUNDLE else {}
        return self.phones(**{f"S{i}": {**(qemu or host_phone()), "model": name, "temperature_c": 27 + i, "settings": settings}
                              for i, (name, settings) in enumerate(zip(("Same", "Other 5", "Same"), SETTINGS))})

    def run_study(self, *arguments, **how):
        more = ["--other-version"] if BUNDLE else []
        code, out, errors = self.study("--prompt-length", "6", "--max-tokens", "12", "--requests", "2", "--patience", "300",
                                       "--loss-timeout", "30", *more, *arguments, bundle=BUNDLE, **how)
        self.assertEqual(code, 0, errors)
        return out, errors

    def assert_same_tokens(self, repeats):
        rows = self.result()["tokens"]
        self.assertEqual([(row["tokens"], row["first_difference"]) for row in rows], [(12, None)] * 2 * repeats)

    def test_over_wifi(self):
        phones = self.three()
        out, errors = self.run_study("--repeats", "2")
        self.assertIn("all 48 tokens of 4 answers (2 runs) in fp32 are those of one x86-64 process in fp32", out)
        self.assertEqual(errors.count(": pushing"), 3)
        self.assert_same_tokens(2)
        self.assert_files()
        for phone, settings in zip(phones.phones.values(), SETTINGS):
            self.assert_as_before(phone, settings)
        _, errors = self.run_study("--repeats", "1")
        self.assertEqual((errors.count(": pushing"), errors.count(": has the bundle")), (0, 3))

    def assert_files(self):
        result = self.result()
        names = [phone["name"] for phone in result["phones"]]
        self.assertEqual(names, ["same-1", "other-5", "same-2"])
        self.assertEqual(result["phones"][0]["clusters"], [{"cores": [0, 1, 2, 3], "max_mhz": 1804.8},
                                                           {"cores": [4, 5, 6], "max_mhz": 2419.2}, {"cores": [7], "max_mhz": 2841.6}])
        self.assertEqual([phone["battery_c"] for phone in result["phones"]], [27, 28, 29])
        with open(self.out / "samples.csv") as file:
            samples = list(csv.DictReader(file))
        self.assertEqual({row["phone"] for row in samples}, set(names))
        self.assertTrue(all(26 < float(row["skin_c"]) < 80 and row["thermal_status"] in "012" for row in samples), samples)
        with open(self.out / "phones.csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["phone"] for row in rows], names)
        self.assertTrue(all(float(row["predicted_s"]) > 0 and float(row["measured_s_mean"]) > 0 for row in rows), rows)
        with open(self.out / "links.csv") as file:
            self.assertEqual(len(list(csv.DictReader(file))), 3)
        for name in ("phones", "links", "plan"):
            xml.etree.ElementTree.parse(self.out / f"{name}.svg")
        for name in ("logs/run-1.txt", "logs/same-2.worker.txt", "events-2.csv", "timeline-1.json", "plan.json"):
            self.assertGreater((self.out / name).stat().st_size, 0, name)
        self.assertFalse((self.out / "keys").exists())
        page = (self.out / "report.html").read_text()
        self.assertNotRegex(page, r"""(src|href)=["']?(?!["']?#)|url\((?!#)|@import|<script""")  # it needs nothing but itself

    def test_the_cluster_is_measured(self):
        self.phones(**{f"S{i}": {**({"emulator": shutil.which("qemu-aarch64-static")} if BUNDLE else host_phone()), "model": f"Pretended {i}",
                               "clusters": [[1, 1800000], [1, 2400000]]} for i in (1, 2)})
        self.run_study("--repeats", "1", "--quick", "--cpus", "all", measured=True)
        self.assert_same_tokens(1)
        self.assertIn("name: pretended-2", self.result()["cluster"])
        if len(os.sched_getaffinity(0)) > 1:
            self.assertEqual(re.findall("# threads (.*):", self.result()["cluster"]), ["1 on 1", "1 on 0", "2 on 0-1"] * 2)
            self.assertRegex(self.result()["cluster"], r"\n    threads: \d\n    cpus: [01-]+\n")
        self.assertEqual(self.result()["cluster"], (self.out / "cluster.yaml").read_text())
        self.assertTrue(any(row["phase"] == "measuring" for row in self.result()["samples"]))

    def test_over_usb_alone(self):
        phones = self.phones(**{f"S{i}": {**({"emulator": shutil.which("qemu-aarch64-static")} if BUNDLE else host_phone()), "wifi": False,
                                          "model": f"Pretended {i}", "settings": {}} for i in (1, 2)})
        self.run_study("--repeats", "1", "--usb")
        self.assert_same_tokens(1)
        for phone in phones.phones.values():
            self.assert_as_before(phone, {})


if __name__ == "__main__":
    main(BUNDLE)
