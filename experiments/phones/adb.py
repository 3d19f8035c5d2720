"""Phones by `adb`: what a study asks of each, what it changes there, and how it leaves it.

All that is on a phone stands in LAB: the bundle in a folder named by its hash, and while a study goes on one folder of its
own. Nothing here needs a rooted phone.
"""
import ctypes
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import time

LAB = "/data/local/tmp/lingua-lab"
ABI = "arm64-v8a"
USAGE, FILE, WORLD = 2, 3, 5  # exit codes, as those of `lingua`
SCREEN = ("global", "stay_on_while_plugged_in"), ("system", "screen_off_timeout")
MOBILE = ("rmnet", "ccmni", "v4-rmnet", "clat", "tun", "dummy")  # interfaces by which no other phone comes
LONGEST_TIMEOUT_MS = "2147483647"
PRCTL, PR_SET_PDEATHSIG = ctypes.CDLL(None).prctl, 1


def with_parent():
    """For a process of one's own: it is told to end when this one has been killed."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)


class Trouble(Exception):
    """What ends a study, in one line with what to do. `code`: the exit code."""

    def __init__(self, message, code=WORLD):
        super().__init__(message)
        self.code = code


class PhoneLost(Trouble):
    """A phone does not answer any more."""


class Adb:
    """Threads: any."""

    def __init__(self, program):
        self.asked = set()
        self.program = shutil.which(program)
        if self.program is None:
            raise Trouble(f"adb: there is no program '{program}'; install it (`apt install adb`, or Android's platform "
                          "tools), or say where it is with --adb")

    def start(self, serial, *words, **pipes):
        target = ["-s", serial] if serial else []
        return subprocess.Popen([self.program, *target, *words], stdin=subprocess.DEVNULL, start_new_session=True,
                                preexec_fn=with_parent, **pipes)

    def ask(self, serial, *words, timeout=60):
        """Its exit code, output and errors."""
        process = self.start(serial, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        self.asked.add(process)
        try:
            out, errors = process.communicate(timeout=timeout)
        except BaseException as error:
            process.kill()
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return 255, "", f"no answer for {timeout:g} s"
            raise
        finally:
            self.asked.discard(process)
        return process.returncode, out.replace("\r\n", "\n"), errors.strip()

    def end_all(self):
        """What is asked at present gets no answer."""
        for process in list(self.asked):
            process.kill()

    def listed(self):
        """Serial to state ("device", "unauthorized", ...), in the order of `adb devices`."""
        code, out, errors = self.ask(None, "devices")
        if code != 0:
            raise Trouble(f"adb devices: {last_line(errors)}")
        rows = [line.split("\t") for line in out.splitlines() if "\t" in line]
        return {serial: state.split()[0] for serial, state in rows}


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


REMEDY = {
    "unauthorized": "unlock it and accept this computer's key in the dialog ('Allow USB debugging?')",
    "authorizing": "unlock it and accept this computer's key in the dialog ('Allow USB debugging?')",
    "offline": "it does not answer: plug it in again, or `adb reconnect offline`",
    "no": "this user may not open it: add a udev rule (package android-sdk-platform-tools-common), or see "
          "`adb devices` for the address of a help page",
    "bootloader": "it is in its boot loader: start Android",
    "recovery": "it is in its recovery system: start Android",
    "sideload": "it waits for an update: start Android",
}


def chosen_serials(adb, asked):
    """Of the phones that adb lists, those that are asked for, or all. Errors: Trouble for one that cannot be used."""
    there = adb.listed()
    if not there:
        raise Trouble("adb lists no phone: switch on USB debugging (Settings, Developer options), plug it in with a cable "
                      "that carries data or `adb connect ADDRESS:5555`, and see `adb devices`")
    for serial in asked or there:
        if serial not in there:
            raise Trouble(f"--serials {serial}: adb lists no such phone; it lists {', '.join(there)}")
        state = there[serial]
        if state != "device":
            others = [one for one, of in there.items() if of == "device" and one in (asked or there)]
            without = f"; or go on without it: --serials {','.join(others)}" if others else ""
            raise Trouble(f"{serial} is {'not permitted' if state == 'no' else state}: "
                          f"{REMEDY.get(state, 'see `adb devices`')}{without}")
    return list(asked or there)


class Bundle:
    """The worker for phones, as experiments/phones/build makes it: one folder, packed."""

    def __init__(self, file):
        self.file = pathlib.Path(file)
        remedy = "make it: experiments/phones/build"
        try:
            with open(self.file, "rb") as data:
                self.sha256 = hashlib.file_digest(data, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
                    else hashlib.sha256(data.read()).hexdigest()
            with tarfile.open(self.file) as archive:
                members = archive.getmembers()
                facts = next((one for one in members if one.name.count("/") == 1 and one.name.endswith("/bundle.json")), None)
                if facts is None:
                    raise Trouble(f"{self.file}: holds no bundle.json, so it is no bundle; {remedy}", FILE)
                self.facts = json.load(archive.extractfile(facts))
        except FileNotFoundError:
            raise Trouble(f"{self.file}: there is no bundle; {remedy}", FILE) from None
        except (OSError, tarfile.TarError, ValueError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise Trouble(f"{self.file}: is no bundle that can be read ({reason}); {remedy}", FILE) from None
        self.folder = facts.name.split("/")[0]
        self.packed_bytes = self.file.stat().st_size
        self.unpacked_bytes = sum(one.size for one in members)
        for field in ("version", "commit"):
            if not isinstance(self.facts.get(field), str):
                raise Trouble(f"{self.file}: bundle.json has no text `{field}`; {remedy}", FILE)

    def check_version(self, version, commit):
        """Errors: Trouble where it is another version's than `lingua`, the coordinator."""
        mine = (self.facts["version"], self.facts["commit"])
        if mine != (version, commit):
            raise Trouble(f"{self.file}: is of lingua {mine[0]} (commit {mine[1]}), and lingua here is {version} (commit "
                          f"{commit}): build both anew (cmake --build --preset release; experiments/phones/build), or say "
                          "--other-version where you know that they speak the same", FILE)

    @property
    def place(self):
        return f"{LAB}/{self.sha256[:16]}"

    @property
    def program(self):
        return f"{self.place}/{self.folder}/lingua"


def parse_battery(text):
    """Of `dumpsys battery`: percent, degrees, whether it is charged from outside. What is not said is None."""
    fields = dict(re.findall(r"^\s*([A-Za-z ]+): (\S+)\s*$", text, re.M))

    def number(name):
        try:
            return float(fields[name])
        except (KeyError, ValueError):
            return None
    level, scale, tenths = number("level"), number("scale") or 100, number("temperature")
    powered = [fields.get(f"{source} powered") for source in ("AC", "USB", "Wireless", "Dock")]
    return {"battery_percent": None if level is None else 100 * level / scale,
            "battery_c": None if tenths is None else tenths / 10,
            "charging": None if not any(powered) else "true" in powered}


def parse_thermal(text):
    """Of `dumpsys thermalservice`: the status (0 none to 6 shutdown), the skin's degrees and the hottest core's."""
    status = re.search(r"^Thermal Status: (\d+)", text, re.M)
    now = text.rsplit("Current temperatures from HAL:", 1)[-1].split("Current cooling devices")[0]
    read = [(int(kind), float(value)) for value, kind in
            re.findall(r"Temperature\{mValue=(-?[0-9.]+), mType=(-?\d+),", now)]

    def hottest(kind):
        return max((value for of, value in read if of == kind and -30 < value < 200 and value != 0), default=None)
    return {"thermal_status": int(status[1]) if status else None, "skin_c": hottest(3), "cpu_c": hottest(0)}


def parse_clusters(text):
    """Lines "CPU MAX_KHZ RELATED...": the clusters of cores, slowest first."""
    clusters = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and all(word.isdigit() for word in words):
            clusters[tuple(sorted(map(int, words[2:])))] = int(words[1])
    return [{"cores": list(cores), "max_mhz": khz / 1000} for cores, khz in sorted(clusters.items(), key=lambda one: one[1])]


class Phone:
    def __init__(self, adb, serial, study):
        self.adb, self.serial = adb, serial
        self.name = serial
        self.folder = f"{LAB}/study-{study}"
        self.before = None  # settings of the screen
        self.relayed = []
        self.worker = None
        self.left = None

    def __str__(self):
        return self.name if self.name == self.serial else f"{self.name} ({self.serial})"

    def run(self, command, timeout=60):
        """Exit code and output of a shell command. Errors: PhoneLost."""
        code, out, errors = self.adb.ask(self.serial, "shell", command, timeout=timeout)
        if code != 0 and (errors.startswith(("error: ", "adb: ", "no answer")) or code == 255 and not out and not errors):
            raise PhoneLost(f"{self}: {last_line(errors) if errors else 'the connection broke'}; plug it in again (or `adb connect` "
                            "it), see `adb devices`, and start again")
        return code, out if code == 0 else out + errors

    def said(self, command, **more):
        code, out = self.run(command, **more)
        if code != 0:
            raise Trouble(f"{self}: `{command[:80]}` ends with {code}: {last_line(out)}")
        return out

    def look(self):
        """What it is. Errors: Trouble for one on which the bundle cannot run."""
        parts = self.said(
            "for p in ro.product.manufacturer ro.product.model ro.build.version.release ro.build.version.sdk "
            "ro.product.cpu.abi; do getprop $p; done; echo ==; cd /sys/devices/system/cpu; for c in cpu[0-9]*; do "
            "m=$(cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null) && echo ${c#cpu} $m $(cat $c/cpufreq/related_cpus); done; "
            "echo ==; cat /proc/meminfo; echo ==; ip -4 -o addr show; true").split("\n==\n")
        maker, model, android, sdk, abi = (parts[0].splitlines() + [""] * 5)[:5]
        if abi != ABI:
            kind = "a 32-bit phone" if abi.startswith("armeabi") else "of another processor"
            raise Trouble(f"{self}, {maker} {model}, is {kind} (ro.product.cpu.abi is '{abi}'); the bundle runs on {ABI}: leave "
                          "it out with --serials")
        memory = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", parts[2], re.M))
        addresses = [one for one in re.findall(r"^\d+: (\S+)\s+inet ([0-9.]+)/\d+ .*scope global", parts[3], re.M)
                     if not one[0].startswith(MOBILE)]
        self.address = next((a for name, a in addresses if name.startswith("wlan")),
                            addresses[0][1] if addresses else None)
        self.facts = {"serial": self.serial, "manufacturer": maker, "model": model, "android": android, "sdk": sdk,
                      "abi": abi, "clusters": parse_clusters(parts[1]), "address": self.address,
                      **{f"{key[3:].lower()}_bytes": 1024 * int(value) for key, value in memory.items()}}
        self.facts.update(self.sample())
        return self.facts

    def sample(self):
        """Battery, heat and clocks at present."""
        parts = self.said("dumpsys battery; echo ==; dumpsys thermalservice; echo ==; "
                          "cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq 2>/dev/null; echo ==; "
                          "cat /proc/meminfo", timeout=30).split("==\n")
        clocks = [int(line) for line in parts[2].split() if line.isdigit()]
        free = re.search(r"^MemAvailable:\s+(\d+) kB", parts[3], re.M)
        return {**parse_battery(parts[0]), **parse_thermal(parts[1]), "fastest_mhz": max(clocks) / 1000 if clocks else None,
                "available_bytes": 1024 * int(free[1]) if free else None}

    def tidy_up_after_others(self, tell):
        """What a study has left that was ended by force. Errors: Trouble where that one goes on."""
        for folder in self.said(f"ls {LAB} 2>/dev/null; true").split():
            if not folder.startswith("study-"):
                continue
            host, _, pid = self.run(f"cat {LAB}/{folder}/host")[1].strip().partition(" ")
            if host == socket.gethostname() and pid.isdigit() and is_study(int(pid)):
                raise Trouble(f"{self}: a study of process {pid} uses it; wait for it, or end it")
            tell(f"{self}: tidying up after a study that was ended by force")
            saved = self.run(f"cat {LAB}/{folder}/screen")[1]
            before = dict(line.split("=", 1) for line in saved.splitlines() if "=" in line)
            self.restore(before)
            self.end_programs(folder)
            self.said(f"rm -rf {LAB}/{folder}")

    def begin(self):
        host = shlex.quote(f"{socket.gethostname()} {os.getpid()}")
        self.said(f"mkdir -p {self.folder} && echo {host} >{self.folder}/host")

    def push(self, bundle, tell):
        """The bundle, unless it is there. Other ones go."""
        if self.run(f"cat {bundle.place}/complete")[1].strip() == bundle.sha256:
            return False
        self.said(f"cd {LAB} && for f in *; do case $f in study-*) ;; *) rm -rf $f ;; esac; done")
        needed = bundle.packed_bytes + bundle.unpacked_bytes + (64 << 20)
        free = re.search(r"\s(\d+)\s+\d+%", self.said(f"df -k {LAB}"))
        if free and int(free[1]) * 1024 < needed:
            raise Trouble(f"{self}: {int(free[1]) // 1024} MiB of storage are free, and the bundle takes {needed >> 20} MiB: make "
                          "room on it")
        tell(f"{self}: pushing {bundle.packed_bytes / 1e6:.0f} MB")
        packed = f"{self.folder}/bundle.tar.gz"
        code, out, errors = self.adb.ask(self.serial, "push", str(bundle.file), packed, timeout=1800)
        if code != 0:
            reason = last_line(errors or out)
            remedy = "make room on it" if "No space" in reason else "see `adb devices`, and start again"
            raise Trouble(f"{self}: the bundle cannot be pushed: {reason}; {remedy}")
        if self.said(f"sha256sum {packed}", timeout=300).split()[0] != bundle.sha256:
            raise Trouble(f"{self}: what arrived is not the bundle that was pushed: try another cable, and start again")
        code, out = self.run(f"mkdir {self.folder}/new && tar -xzf {packed} -C {self.folder}/new && rm {packed} && "
                             f"echo {bundle.sha256} >{self.folder}/new/complete && mv {self.folder}/new {bundle.place}",
                             timeout=600)
        if code != 0:
            raise Trouble(f"{self}: the bundle cannot be unpacked: {last_line(out)}"
                          f"{'; make room on it' if 'No space' in out else ''}")
        return True

    def check_program(self, bundle):
        code, out = self.run(f"TMPDIR={self.folder} {bundle.program} --version", timeout=120)
        if code != 0:
            raise Trouble(f"{self}: the bundle does not start there ({last_line(out)}): push it again after `adb -s {self.serial} "
                          f"shell rm -rf {LAB}`")
        return out.strip()

    def keep_awake(self, tell):
        """The screen stays on, for a phone that sleeps slows what runs and lets Wi-Fi doze."""
        self.before = {f"{space}.{key}": self.said(f"settings get {space} {key}").strip() for space, key in SCREEN}
        lines = "".join(f"{key}={value}\n" for key, value in self.before.items())
        self.said(f"printf %s {shlex.quote(lines)} >{self.folder}/screen")
        refused = []
        for command in ("input keyevent KEYCODE_WAKEUP", "svc power stayon true",
                        f"settings put system screen_off_timeout {LONGEST_TIMEOUT_MS}"):
            code, out = self.run(command)
            if code != 0:
                refused.append(last_line(out))
        if refused:
            tell(f"{self}: does not let its screen be kept on ({refused[0]}): switch on 'USB debugging (Security settings)' where its "
                 "Developer options have that, or keep it on by hand")

    def restore(self, before):
        for setting, value in before.items():
            space, key = setting.split(".", 1)
            if self.run(f"settings get {space} {key}")[1].strip() == value:
                continue
            if value in ("null", ""):
                self.said(f"settings delete {space} {key}")
            else:
                self.said(f"settings put {space} {key} {shlex.quote(value)}")

    def relay(self, direction, port):
        """direction: forward (this machine's port leads to the phone's) or reverse."""
        code, out, errors = self.adb.ask(self.serial, direction, f"tcp:{port}", f"tcp:{port}")
        if code != 0:
            raise Trouble(f"{self}: adb {direction} tcp:{port}: {last_line(errors or out)}")
        self.relayed.append((direction, port))

    def start_worker(self, bundle, join_line, listen, options, log):
        arguments = ["worker", "--join", join_line, "--listen", listen, "--keys", f"{self.folder}/keys", "--weight-cache",
                     f"{self.folder}/weights", *options]
        command = (f"cd {self.folder} && export TMPDIR={self.folder} && exec {bundle.program} " +
                   " ".join(map(shlex.quote, arguments)))
        with open(log, "w") as out:
            self.worker = self.adb.start(self.serial, "shell", command, stdout=out, stderr=subprocess.STDOUT)
        self.worker_log = log

    def is_there(self):
        return self.adb.listed().get(self.serial) == "device"

    def end_programs(self, folder):
        """Of a study, by the name of its folder, which is in their command lines."""
        pattern = f"{folder[:-1]}[{folder[-1]}]"  # is not in this command's own
        find = (f"for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '{pattern}' && "
                "echo ${p#/proc/}; done; true")
        for sent in ("TERM", "TERM", "KILL"):
            for _ in range(10):
                found = self.said(find).split()
                if not found:
                    return
                if _ == 0:
                    self.run(f"kill -{sent} {' '.join(found)}")
                time.sleep(0.3)
        raise Trouble(f"{self}: processes {', '.join(found)} cannot be ended")

    def leave(self, tell):
        """As it was, with the bundle. Nothing is raised: what cannot be undone is told."""
        if self.worker is not None:
            if self.worker.poll() is None:
                self.worker.send_signal(signal.SIGTERM)  # upon which the phone ends what it has started
                try:
                    self.worker.wait(5)
                except subprocess.TimeoutExpired:
                    self.worker.kill()
            self.worker.wait()
        try:
            if self.before is not None:
                self.restore(self.before)
            self.end_programs(self.folder.rsplit("/", 1)[1])
            self.said(f"rm -rf {self.folder}; rmdir {LAB} 2>/dev/null; true")
        except Trouble as error:
            tell(f"{error}\n  it could not be tidied: the next study does it when the phone is there, or: adb -s {self.serial} shell rm "
                 f"-rf {self.folder}")
        for direction, port in self.relayed:
            self.adb.ask(self.serial, direction, "--remove", f"tcp:{port}")


def is_study(pid):
    try:
        return b"experiments/phones/run" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def names_for(phones):
    """Names that clusters allow, by model; phones of one model get numbers."""
    plain = [re.sub(r"[^a-z0-9._-]+", "-", phone.facts["model"].lower()).strip("-.") or "phone" for phone in phones]
    for index, (phone, name) in enumerate(zip(phones, plain)):
        phone.name = name if plain.count(name) == 1 else f"{name}-{plain[:index].count(name) + 1}"
