"""What the tests of experiments/phones/run share."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from fake_phones import HOST_FOLDERS, Phones, host_bundle

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINGUA = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
MODEL = "bloom:hidden=64,layers=4,heads=4,vocabulary=256"
LAB = "data/local/tmp/lingua-lab"


def cannot_run(bundle):
    """Why tests with pretended phones are skipped here; empty where they are not."""
    if os.geteuid() != 0:
        return "needs root"
    tools = ["busybox", "ip", "unshare", "nsenter"] + (["qemu-aarch64-static"] if bundle else [])
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    if bundle and not bundle.exists():
        return f"there is no {bundle}; experiments/phones/build makes it"
    return f"needs {', '.join(lacking)}; ./setup.sh installs it" if lacking else ""


def host_phone(**facts):
    return {"host_folders": [*HOST_FOLDERS, str(LINGUA.parents[2])], **facts}


def cluster_of(names):
    return ("name: pretended\ndevices:\n" + "".join(
        f"  - {{name: {name}, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 GB}}\n" for name in names) +
        "links: {default: {bandwidth: 100 MB/s, latency: 500 us}}\n")


class Studies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="lingua-phones-")
        cls.common = pathlib.Path(cls.made.name)
        subprocess.run([LINGUA, "model", "random", MODEL, "-o", cls.common / "model", "--dtype", "fp32"], check=True,
                       capture_output=True)
        host_bundle(cls.common / "bundle.tar.gz", LINGUA)

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def setUp(self):
        self.folder = self.common / self._testMethodName
        (self.folder / "phones").mkdir(parents=True)
        self.out = self.folder / "out"

    def phones(self, **phones):
        """They are on until the test ends."""
        phones = Phones(self.folder / "phones", phones)
        self.addCleanup(phones.__exit__)
        phones.__enter__()
        names = [re.sub("[^a-z0-9]+", "-", phone.facts["model"].lower()) for phone in phones.phones.values()]
        names = [name if names.count(name) == 1 else f"{name}-{names[:i].count(name) + 1}" for i, name in enumerate(names)]
        (self.folder / "cluster.yaml").write_text(cluster_of(names))
        return phones

    def start(self, *arguments, model=None, bundle=None, adb=None, measured=False):
        command = [ROOT / "experiments/phones/run", model or self.common / "model", "--bundle",
                   bundle or self.common / "bundle.tar.gz", "--adb", adb or ROOT / "tests/phones/fake_adb", "--out", self.out,
                   "--planner", "even", "--ignore-eos", *([] if measured else ["--cluster", self.folder / "cluster.yaml"]), *arguments]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "LINGUA": str(LINGUA), "LINGUA_FAKE_PHONES": str(self.folder / "phones")})

    def study(self, *arguments, **more):
        process = self.start(*arguments, **more)
        out, errors = process.communicate(timeout=500)
        return process.returncode, out, errors

    def wait_for(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def wait_for_the_run(self):
        log = self.out / "logs/run-1.txt"
        self.wait_for("the run begins", lambda: log.exists() and "answering" in log.read_text())

    def result(self):
        return json.loads((self.out / "result.json").read_text())

    def settings(self, phone):
        return {file.name: file.read_text().strip() for file in (phone.root / "fake/settings").iterdir()}

    def assert_as_before(self, phone, settings, bundle=True):
        """Nothing runs in it, its settings are these, and but for the bundle nothing is there."""
        self.assertEqual(phone.processes(), [])
        self.assertEqual(self.settings(phone), settings)
        lab = phone.root / LAB
        there = sorted(file.name for file in lab.iterdir()) if lab.exists() else []
        self.assertEqual(len(there), 1 if bundle else 0, there)
        if bundle:
            self.assertEqual(sorted(file.name for file in (lab / there[0]).iterdir()), ["complete", "lingua-arm64"])
        self.assertEqual([file.name for file in phone.state.glob("relay-*")], [])


def main(bundle=None):
    reason = cannot_run(bundle)
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
