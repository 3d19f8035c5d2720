"""The Python module, as its users call it. Run with PYTHONPATH at the module's folder."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import lingua

PHONES = lingua.platform("three-phones")
SMALL = {"model": "bloom-560m", "cluster": PHONES, "max_tokens": 2}


def printed(verb, *options, model="bloom-560m"):
    """What the program says to the same settings."""
    command = [os.environ["LINGUA_PROGRAM"], verb, model, "--cluster", PHONES, "--max-tokens", "2", "--json"]
    return json.loads(subprocess.run(command + list(options), check=True, stdout=subprocess.PIPE).stdout)


def without_wall_time(result):
    result.get("plan", result).pop("planning_s")
    return result


class Calls(unittest.TestCase):
    def test_results_are_what_the_program_prints(self):
        made = lingua.simulate(**SMALL, planner="dp", in_flight=2, requests=3)
        told = printed("simulate", "--planner", "dp", "--in-flight", "2", "--requests", "3")
        self.assertEqual(without_wall_time(made), without_wall_time(told))
        self.assertEqual(without_wall_time(lingua.plan(**SMALL)), without_wall_time(printed("plan")))

    def test_real_numerics_are_those_of_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "model")
            subprocess.run([os.environ["LINGUA_PROGRAM"], "model", "random", "--output", model,
                            "bloom:hidden=64,layers=4,heads=4,vocabulary=256"], check=True)
            made = lingua.emulate(**{**SMALL, "model": model}, prompt_tokens="1,2,3")
            told = printed("emulate", "--prompt-tokens", "1,2,3", model=model)
        self.assertEqual(without_wall_time(made), without_wall_time(told))
        self.assertEqual(len(made["requests"][0]["tokens"]), 2)

    def test_a_planner_may_be_a_file(self):
        module = os.environ["LINGUA_PLANNER_MODULE"]
        self.assertEqual(lingua.plan(**SMALL, planner=module)["planner"], module)

    def test_a_second_simulation_is_as_the_first(self):
        first, second = (lingua.simulate(**SMALL) for _ in range(2))
        self.assertEqual(first["digest"], second["digest"])

    def test_values_may_be_paths_lists_and_flags(self):
        made = lingua.simulate(model="bloom-560m", cluster=pathlib.Path(PHONES), prompt_tokens=["1,2,3", "4"],
                               max_tokens=2, ignore_eos=True)
        self.assertEqual(len(made["requests"]), 2)

    def test_settings_are_listed(self):
        known = {setting["name"]: setting for setting in lingua.settings("simulate")}
        self.assertEqual(known["max_tokens"]["default"], 16)
        self.assertEqual(known["max_tokens"]["type"], "integer")
        self.assertIn("explain", {setting["name"] for setting in lingua.settings("plan")})

    def test_what_goes_wrong_has_a_class_and_a_code(self):
        for settings, kind, words in [
            ({"max_tokens": 0}, lingua.UsageError, "max-tokens"),
            ({"no_such": 1}, lingua.UsageError, "no"),
            ({"cluster": "/nonexistent.yaml"}, lingua.InputError, "/nonexistent.yaml"),
            ({"model": "bloom-7b1", "cluster": lingua.platform("small-memory"), "dtype": "fp32"},
             lingua.InfeasibleError, ""),
        ]:
            with self.subTest(settings=settings), self.assertRaisesRegex(kind, words) as caught:
                lingua.plan(**{**SMALL, **settings})
            self.assertEqual(caught.exception.exit_code, kind.exit_code)
        with self.assertRaises(lingua.UsageError):
            lingua.settings("fly")
        with self.assertRaises(lingua.UsageError):
            lingua.plan(**{**SMALL, "header": object()})
        with self.assertRaisesRegex(lingua.UsageError, "three-phones"):
            lingua.platform("none")

    def test_other_threads_go_on_and_ctrl_c_ends_a_call(self):
        turns = []
        going = threading.Event()

        def turn():
            while not going.wait(0.01):
                turns.append(time.monotonic())

        other = threading.Thread(target=turn)
        other.start()
        threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            lingua.simulate(model="bloom-560m", cluster=PHONES, planner="dp", max_tokens=2000, requests=2000)
        took = time.monotonic() - began
        going.set()
        other.join()
        self.assertLess(took, 5)
        self.assertGreater(len(turns), 10)

    def test_versions_are_those_of_the_program(self):
        said = subprocess.run([os.environ["LINGUA_PROGRAM"], "--version"], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        versions = lingua.versions()
        self.assertIn(f"lingua {lingua.__version__} (commit {versions['commit']})", said)
        self.assertIn(f"SimGrid {versions['simgrid']}", said)


class Sweeps(unittest.TestCase):
    SPEC = {"base": {**SMALL}, "axes": {"planner": ["even", "dp"], "in_flight": range(1, 4)}}

    @staticmethod
    def records(found):
        return found if isinstance(found, list) else found.to_dict("records")

    def test_a_row_for_each_point_and_a_database_that_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            database = pathlib.Path(folder) / "sweep.db"
            seen = []
            rows = self.records(lingua.sweep(self.SPEC, database, workers=2, progress=seen.append))
            self.assertEqual([(row["planner"], row["in_flight"]) for row in rows],
                             [(planner, n) for planner in ("even", "dp") for n in (1, 2, 3)])
            self.assertEqual({row["state"] for row in rows}, {"done"})
            self.assertEqual(seen[-1]["done"], 6)
            alone = lingua.simulate(**SMALL, planner="dp", in_flight=3)
            self.assertEqual(rows[-1]["tokens_per_s"], alone["tokens_per_s"])
            again = []
            self.assertEqual(len(lingua.sweep(self.SPEC, database, progress=again.append)), 6)
            self.assertEqual((again[-1]["before"], again[-1]["done"]), (6, 0))
            self.assertEqual(len(lingua.rows(database)), 6)

    def test_what_fails_is_a_row(self):
        spec = {"what": "plan", "base": {**SMALL}, "axes": {"header": ["nobody", "xiaomi-14"]}}
        rows = self.records(lingua.sweep(spec))
        self.assertEqual([row["state"] for row in rows], ["failed", "done"])
        self.assertIn("nobody", rows[0]["reason"])

    def test_a_preview_tells_how_many(self):
        self.assertEqual(lingua.preview(self.SPEC, samples=1)["points"], 6)

    def test_what_a_callback_throws_ends_it(self):
        def stop(_):
            raise RuntimeError("enough")

        with self.assertRaisesRegex(RuntimeError, "enough"):
            lingua.sweep(self.SPEC, progress=stop)

    def test_a_specification_that_is_none(self):
        with self.assertRaises(lingua.InputError):
            lingua.sweep({"base": {**SMALL}, "axes": {"no_such": [1]}})
        with self.assertRaises(lingua.InputError):
            lingua.sweep("/nonexistent.yaml")


if __name__ == "__main__":
    sys.exit(unittest.main())
