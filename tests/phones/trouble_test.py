#!/usr/bin/env python3
"""What can go wrong with phones: one clear line, the exit code of it, and the phones as they were.

trouble_test.py LINGUA. Pretended phones (fake_phones.py) with the program of this machine.
"""
import gzip
import signal

from studies import LINGUA, Studies, host_bundle, host_phone, main

BEFORE = {"system.screen_off_timeout": "30000"}


class BeforeAnythingRuns(Studies):
    def refused(self, code, *parts, arguments=(), **more):
        done, out, errors = self.study(*arguments, **more)
        line = errors.strip().splitlines()[-1]
        self.assertEqual((done, out), (code, ""), errors)
        for part in parts:
            self.assertIn(part, line)
        self.assertNotIn("Traceback", errors)
        return line

    def test_there_is_no_adb(self):
        self.phones()
        self.refused(5, "there is no program 'no-adb'", "apt install adb", adb="no-adb")

    def test_there_is_no_phone(self):
        self.phones()
        self.refused(5, "adb lists no phone", "USB debugging")

    def test_a_phone_has_not_accepted_this_computer(self):
        self.phones(A=host_phone(), B=host_phone(connection="unauthorized"))
        self.refused(5, "B is unauthorized", "Allow USB debugging", "--serials A")

    def test_a_phone_does_not_answer(self):
        self.phones(A=host_phone(connection="offline"))
        self.refused(5, "A is offline", "plug it in again")

    def test_a_serial_is_not_there(self):
        self.phones(A=host_phone())
        self.refused(5, "--serials Z: adb lists no such phone; it lists A", arguments=["--serials", "Z"])

    def test_a_phone_has_32_bits(self):
        phones = self.phones(A=host_phone(abi="armeabi-v7a"))
        self.refused(5, "A", "is a 32-bit phone", "armeabi-v7a", "arm64-v8a")
        self.assert_as_before(phones["A"], BEFORE, bundle=False)

    def test_a_phone_is_in_no_network(self):
        phones = self.phones(A=host_phone(wifi=False))
        self.refused(5, "has no address in a network", "--usb")
        self.assert_as_before(phones["A"], BEFORE, bundle=False)

    def test_storage_is_full(self):
        phones = self.phones(A=host_phone(data_mb=20))
        self.refused(5, "pretended-1 (A)", "MiB of storage are free, and the bundle takes", "make room")
        self.assertEqual(phones["A"].processes(), [])
        self.assertEqual(self.settings(phones["A"]), BEFORE)
        self.assertEqual(phones["A"].inside("ls -A /data/local/tmp"), "")

    def test_the_bundle_does_not_start(self):
        bundle = self.folder / "bundle.tar.gz"
        host_bundle(bundle, LINGUA, program="no-program")
        phones = self.phones(A=host_phone())
        self.refused(5, "the bundle does not start there", bundle=bundle)
        self.assert_as_before(phones["A"], BEFORE)

    def test_the_bundle_is_of_another_version(self):
        bundle = self.folder / "bundle.tar.gz"
        host_bundle(bundle, LINGUA, commit="0123456789ab")
        phones = self.phones(A=host_phone())
        self.refused(3, "commit 0123456789ab", "experiments/phones/build", "--other-version", bundle=bundle)
        self.assert_as_before(phones["A"], BEFORE, bundle=False)

    def test_there_is_no_bundle(self):
        self.phones(A=host_phone())
        self.refused(3, "there is no bundle", "experiments/phones/build", bundle=self.folder / "none.tar.gz")

    def test_the_bundle_is_broken_off(self):
        bundle = self.folder / "bundle.tar.gz"
        whole = (self.common / "bundle.tar.gz").read_bytes()
        self.phones(A=host_phone())
        for data in (whole[:len(whole) // 2], b"", gzip.compress(b"no archive")):
            bundle.write_bytes(data)
            self.refused(3, "is no bundle", "experiments/phones/build", bundle=bundle)

    def test_there_is_no_model(self):
        self.phones(A=host_phone())
        self.refused(3, "there is no such model", model="no-model")

    def test_the_cluster_names_other_phones(self):
        phones = self.phones(A=host_phone())
        (self.folder / "cluster.yaml").write_text("devices: [{name: x, compute: 1 GFLOP/s, memory_bandwidth: 1 GB/s, memory: 1 GB}]\n")
        self.refused(3, "cluster.yaml", "has no device 'pretended-1'")
        self.assert_as_before(phones["A"], BEFORE, bundle=False)

    def test_the_command_line_is_wrong(self):
        self.phones()
        self.refused(2, "--repeats", "'0' is not accepted", arguments=["--repeats", "0"])

    def test_no_plan_fits(self):
        phones = self.phones(A=host_phone())
        text = (self.folder / "cluster.yaml").read_text()
        (self.folder / "cluster.yaml").write_text(text.replace("1 GB}", "1 kB}"))
        self.refused(4, "lingua plan:")
        self.assert_as_before(phones["A"], BEFORE)


class AllTheSame(Studies):
    def test_a_phone_that_lets_no_shell_change_settings_is_used(self):
        phones = self.phones(A=host_phone(secure=True))
        code, _, errors = self.study("--repeats", "1", "--max-tokens", "4")
        self.assertEqual(code, 0, errors)
        self.assertIn("does not let its screen be kept on (java.lang.SecurityException", errors)
        self.assert_as_before(phones["A"], BEFORE)


class InMidRun(Studies):
    LONG = ["--repeats", "2", "--prompt-length", "4", "--max-tokens", "1500"]

    def two_phones(self):
        return self.phones(A=host_phone(), B=host_phone(model="Other 2"))

    def test_a_phone_leaves(self):
        phones = self.two_phones()
        study = self.start(*self.LONG)
        self.wait_for_the_run()
        phones.leave("B")
        _, errors = study.communicate(timeout=120)
        self.assertEqual(study.returncode, 5, errors)
        self.assertIn("other-2 (B) left in mid-run: adb does not list it any more", errors)
        self.assertIn("other-2 (B) left in run 1", errors.splitlines()[-1])
        self.assertIn("start again", errors.splitlines()[-1])
        self.assertEqual(len(self.result()["runs"][0]["requests"][0]["tokens"]), 1500)  # it went on
        self.assertTrue(all(row["first_difference"] is None for row in self.result()["tokens"]))
        self.assertIn("left in run 1", (self.out / "report.html").read_text())
        self.assert_as_before(phones["A"], BEFORE)

    def test_a_cable_is_pulled_out_and_the_next_study_tidies_up(self):
        phones = self.two_phones()
        study = self.start(*self.LONG)
        self.wait_for_the_run()
        phones["B"].change(connection="gone")
        _, errors = study.communicate(timeout=120)
        self.assertEqual(study.returncode, 5, errors)
        self.assertIn("could not be tidied", errors)
        self.assert_as_before(phones["A"], BEFORE)
        self.assertEqual(phones["B"].processes(), [])  # a shell whose client is gone is told to end
        self.assertNotEqual(self.settings(phones["B"]), BEFORE)
        phones["B"].change(connection="device")
        code, _, errors = self.study("--repeats", "1")
        self.assertEqual(code, 0, errors)
        self.assertIn("other-2 (B)", errors)
        self.assertIn("tidying up after a study", errors)
        self.assert_as_before(phones["B"], BEFORE)

    def test_ctrl_c_leaves_nothing(self):
        phones = self.two_phones()
        study = self.start(*self.LONG)
        self.wait_for_the_run()
        study.send_signal(signal.SIGINT)
        study.communicate(timeout=60)
        self.assertEqual(study.returncode, -signal.SIGINT)
        for serial in "AB":
            self.assert_as_before(phones[serial], BEFORE)

    def test_a_kill_is_tidied_up_by_the_next_study_but_not_while_it_goes_on(self):
        phones = self.two_phones()
        study = self.start(*self.LONG)
        self.wait_for_the_run()
        code, _, errors = self.study("--repeats", "1", "--out", self.folder / "second")
        self.assertEqual(code, 5, errors)
        self.assertIn(f"a study of process {study.pid} uses it", errors.splitlines()[-1])
        study.kill()
        study.communicate()
        code, _, errors = self.study("--repeats", "1")
        self.assertEqual(code, 0, errors)
        for serial in "AB":
            self.assert_as_before(phones[serial], BEFORE)

    def test_the_worker_dies_before_the_run_begins(self):
        bundle = self.folder / "bundle.tar.gz"
        host_bundle(bundle, LINGUA, worker="echo 'this phone has no memory' >&2; exit 5")
        phones = self.two_phones()
        code, _, errors = self.study(bundle=bundle)
        self.assertEqual(code, 5, errors)
        self.assertIn("this phone has no memory", errors.splitlines()[-1])
        for serial in "AB":
            self.assert_as_before(phones[serial], BEFORE)


if __name__ == "__main__":
    main()
