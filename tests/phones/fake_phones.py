"""Phones that are pretended, for a machine without any: what tests/phones/fake_adb speaks with.

A phone is a folder: phone.json says what it is, root/ is what its programs see as /, state/ is what it remembers. While it
is on it has processes, mounts and a network of its own (namespaces, so root is needed), and an address on a bridge that
stands for the access point. Its shell is BusyBox; getprop, dumpsys, settings, svc, input and logcat are scripts that answer
as Android does, as far as experiments/phones/run asks. Its temperature follows the processor time that its programs take.
A bundle for arm64 runs by qemu-aarch64-static: what it starts is put behind scripts that start QEMU.
"""
import contextlib
import ctypes
import fcntl
import io
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import time

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
STARTED = ["lingua", "lib/ld-linux-aarch64.so.1"]  # of a bundle: what the kernel is asked to start

# What one is like that nothing else is said about. Clusters: cores and their highest frequency.
PHONE = {"model": "Pretended 1", "manufacturer": "nobody", "android": "14", "sdk": "34", "abi": "arm64-v8a",
         "connection": "device",  # or unauthorized, offline, gone
         "clusters": [[4, 1804800], [3, 2419200], [1, 2841600]], "battery_percent": 81, "temperature_c": 29.0,
         "settings": {"system.screen_off_timeout": "30000"}, "secure": False, "wifi": True, "data_mb": 0, "host_folders": [],
         "emulator": "", "cpu": "max"}


def checked(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **more)


SCRIPTS = {
    "getprop": 'cat "/fake/prop/$1" 2>/dev/null || echo',
    "settings": '''file="/fake/settings/$2.$3"
case $1 in
  get) cat "$file" 2>/dev/null || echo null ;;
  put) [ ! -e /fake/secure ] || { echo "java.lang.SecurityException: no permission to write settings" >&2; exit 255; }
    echo "$4" >"$file" ;;
  delete) rm -f "$file"; echo "Deleted 1 rows" ;;
  *) echo "Unknown command: $1" >&2; exit 255 ;;
esac''',
    "svc": '''[ "$1 $2" = "power stayon" ] || exit 1
case $3 in true) on=15 ;; false) on=0 ;; usb) on=2 ;; *) exit 1 ;; esac
settings put global stay_on_while_plugged_in $on''',
    "input": 'echo "$*" >>/fake/keys',
    "logcat": 'cat /fake/logcat 2>/dev/null',
    # 0.1 degrees for each second of processor time, of which half is gone after 20 s.
    "heat": '''now=$(cut -d " " -f 1 /proc/uptime)
cpu=$(cat /proc/[0-9]*/stat 2>/dev/null | awk '{ s += $14 + $15 } END { print s / 100 }')
awk -v now="$now" -v cpu="$cpu" -v base="$(cat /fake/temperature)" '
  { more = cpu > $2 ? cpu - $2 : 0; above = $3 - base
    for (past = now - $1; past > 0; past--) above *= 1 - 0.034 * (past < 1 ? past : 1)
    above += 0.1 * more }
  END { if (NR == 0) above = 0; print now, cpu, base + above }' /fake/heat 2>/dev/null >/fake/heat.$$
mv /fake/heat.$$ /fake/heat
cut -d " " -f 3 /fake/heat''',
    "dumpsys": '''degrees=$(heat)
case $1 in
  battery) cat <<END
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5000000
  Charge counter: 3180000
  status: 2
  health: 2
  present: true
  level: $(cat /fake/battery)
  scale: 100
  voltage: 4143
  temperature: $(awk -v t="$degrees" 'BEGIN { printf "%d", t * 10 }')
  technology: Li-poly
END
    ;;
  thermalservice)
    status=$(awk -v t="$degrees" 'BEGIN { print (t > 45) + (t > 50) }')
    cat <<END
IsStatusOverride: false
ThermalEventListeners:
	callbacks: 1
	killed: false
	broadcasts count: -1
ThermalStatusListeners:
	callbacks: 1
	killed: false
	broadcasts count: -1
Thermal Status: $status
Cached temperatures:
	Temperature{mValue=$degrees, mType=3, mName=skin, mStatus=$status}
HAL Ready: true
HAL connection:
	ThermalHAL 2.0 connected: yes
Current temperatures from HAL:
	Temperature{mValue=$(awk -v t="$degrees" 'BEGIN { print t + 9 }'), mType=0, mName=CPU0, mStatus=$status}
	Temperature{mValue=$degrees, mType=3, mName=skin, mStatus=$status}
Current cooling devices from HAL:
	CoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
END
    ;;
  *) echo "Can't find service: $1" ;;
esac''',
}


class Phone:
    """One of them, by its folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.serial = self.folder.name
        self.root = self.folder / "root"
        self.state = self.folder / "state"

    @property
    def facts(self):
        return json.loads((self.folder / "phone.json").read_text())

    def change(self, **facts):
        file = self.folder / "phone.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps({**self.facts, **facts}, indent=1))
        new.rename(file)

    def make(self, facts):
        facts = {**PHONE, **facts}
        for part in ("state", "root/system/bin", "root/data/local/tmp", "root/proc", "root/dev", "root/tmp", "root/emulator",
                     "root/fake/prop", "root/fake/settings"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "phone.json").write_text(json.dumps(facts, indent=1))
        (self.root / "bin").symlink_to("system/bin")
        tools = self.root / "system/bin"
        shutil.copy(shutil.which("busybox"), tools / "busybox")
        for applet in run("busybox", "--list").stdout.split():
            if applet != "busybox":
                (tools / applet).symlink_to("busybox")
        for name, text in SCRIPTS.items():
            (tools / name).unlink(missing_ok=True)  # BusyBox has another svc
            (tools / name).write_text(f"#!/system/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        fake = self.root / "fake"
        for name, value in {"ro.product.model": facts["model"], "ro.product.manufacturer": facts["manufacturer"],
                            "ro.build.version.release": facts["android"], "ro.build.version.sdk": facts["sdk"],
                            "ro.product.cpu.abi": facts["abi"]}.items():
            (fake / "prop" / name).write_text(value + "\n")
        for name, value in facts["settings"].items():
            (fake / "settings" / name).write_text(value + "\n")
        (fake / "battery").write_text(f"{facts['battery_percent']}\n")
        (fake / "heat").touch()
        if facts["secure"]:  # lets no shell change settings
            (fake / "secure").touch()
        (fake / "temperature").write_text(f"{facts['temperature_c']}\n")
        first = 0
        for cores, khz in facts["clusters"]:
            for core in range(first, first + cores):
                folder = self.root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
                folder.mkdir(parents=True)
                (folder / "cpuinfo_max_freq").write_text(f"{khz}\n")
                (folder / "scaling_cur_freq").write_text(f"{khz}\n")
                (folder / "related_cpus").write_text(" ".join(map(str, range(first, first + cores))) + "\n")
            first += cores
        if facts["emulator"]:
            shutil.copy(facts["emulator"], self.root / "emulator/qemu")

    @property
    def init(self):
        """The process that everything in the phone is below, as this machine sees it."""
        return int((self.state / "init").read_text())

    def is_on(self):
        try:
            os.kill(self.init, 0)
            return True
        except (OSError, ValueError):
            return False

    def start(self):
        facts = self.facts
        mounts = [f"mount --bind {self.root} {self.root}", f"mount -t proc proc {self.root}/proc"]
        if facts["data_mb"]:
            mounts.append(f"mount -t tmpfs -o size={facts['data_mb']}m data {self.root}/data")
            mounts.append(f"mkdir -p {self.root}/data/local/tmp")
        for device in ("null", "zero", "random", "urandom"):
            (self.root / "dev" / device).touch()
            mounts.append(f"mount --bind /dev/{device} {self.root}/dev/{device}")
        for folder in facts["host_folders"]:
            inside = self.root / folder.lstrip("/")
            inside.mkdir(parents=True, exist_ok=True)
            mounts.append(f"mount --rbind {folder} {inside}")
        script = (f"set -e; mount --make-rprivate /; {'; '.join(mounts)}; busybox ip link set lo up; "
                  f"echo on >{self.state}/on; set +e; while :; do sleep 3600 & wait; done")
        (self.state / "on").unlink(missing_ok=True)
        said = open(self.state / "init.err", "w")
        parent = subprocess.Popen(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "busybox", "sh", "-c",
                                   script], stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
        said.close()
        deadline = time.monotonic() + 20
        while not (self.state / "on").exists():
            if parent.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.serial} does not start: {(self.state / 'init.err').read_text().strip()}")
            time.sleep(0.01)
        children = pathlib.Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        (self.state / "init").write_text(children[0])
        return parent

    def processes(self):
        """What runs in it, as command lines, but for the process that keeps it on."""
        if not self.is_on():
            return []
        mine = os.readlink(f"/proc/{self.init}/ns/pid")
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(folder / "ns/pid") == mine:
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    if line and not line.startswith(("busybox sh -c set -e", "sleep 3600")):
                        found.append(line)
        return found

    def inside(self, command):
        """What a shell command in it says."""
        return run("nsenter", "-t", self.init, "-m", "-p", "chroot", self.root, "/system/bin/sh", "-c", command,
                   env={"PATH": f"/system/bin:{os.environ['PATH']}"}).stdout

    def enter(self, *kinds):
        """This process joins its namespaces: CLONE_NEWNS and so on."""
        names = {CLONE_NEWNS: "mnt", CLONE_NEWPID: "pid", CLONE_NEWNET: "net"}
        for kind in kinds:
            file = os.open(f"/proc/{self.init}/ns/{names[kind]}", os.O_RDONLY)
            checked(LIBC.setns(file, kind), f"setns {names[kind]}")
            os.close(file)

    def emulate(self):
        """In its mounts: what a bundle that was pushed starts is started by QEMU."""
        if not (self.root / "emulator/qemu").exists():
            return
        with open(self.state / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for facts in (self.root / "data/local/tmp").rglob("bundle.json"):
                for program in (facts.parent / name for name in STARTED):
                    if program.read_bytes()[:4] != b"\x7fELF":
                        continue
                    real = program.with_name(program.name + ".arm64")
                    program.rename(real)
                    inside = "/" + str(real.relative_to(self.root))
                    program.write_text(f'#!/system/bin/sh\nexec /emulator/qemu -cpu {self.facts["cpu"]} {inside} "$@"\n')
                    program.chmod(0o755)


class Phones:
    """Several, in one folder, with an access point. They are on while this stands."""

    def __init__(self, folder, phones):
        self.folder = pathlib.Path(folder)
        self.network = ipaddress.ip_network(f"10.83.{os.getpid() % 250}.0/24")
        self.bridge = f"fakeap{os.getpid()}"
        self.phones = {}
        for serial, facts in phones.items():
            self.phones[serial] = Phone(self.folder / serial)
            self.phones[serial].make(facts)
        self.parents = {}
        self.cables = {}

    def __getitem__(self, serial):
        return self.phones[serial]

    def __enter__(self):
        try:
            hosts = self.network.hosts()
            run("ip", "link", "add", self.bridge, "type", "bridge")
            run("ip", "addr", "add", f"{next(hosts)}/24", "dev", self.bridge)
            run("ip", "link", "set", self.bridge, "up")
            for number, (serial, phone) in enumerate(self.phones.items()):
                self.parents[serial] = phone.start()
                if phone.facts["wifi"]:
                    self.join(phone, f"fw{os.getpid()}x{number}", next(hosts))
        except subprocess.CalledProcessError as error:
            self.__exit__()
            raise RuntimeError(f"pretended phones need root and iproute2: {error.stderr.strip()}") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def join(self, phone, name, address):
        self.cables[phone.serial] = name
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "wlan0", "netns", str(phone.init))
        run("ip", "link", "set", name, "master", self.bridge, "up")
        inside = ["nsenter", "-t", phone.init, "-n", "ip"]
        run(*inside, "addr", "add", f"{address}/24", "dev", "wlan0")
        run(*inside, "link", "set", "wlan0", "up")

    def leave(self, serial):
        """It is off, as when its battery is taken out."""
        phone = self.phones[serial]
        phone.change(connection="gone")
        parent = self.parents.pop(serial, None)
        if parent is not None:
            os.kill(phone.init, signal.SIGKILL)
            parent.wait()
            subprocess.run(["ip", "link", "del", self.cables.get(serial, "none")], capture_output=True)
        for file in phone.state.glob("relay-*"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
            file.unlink(missing_ok=True)

    def __exit__(self, *_):
        for serial in list(self.parents):
            self.leave(serial)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)


HOST_FOLDERS = ["/usr", "/lib", "/lib64", "/etc"]  # what a program of this machine needs in a phone


def host_bundle(file, lingua, program=None, worker="", **facts):
    """A bundle whose program is this machine's: a phone needs HOST_FOLDERS and the program's own for it. `program`: another
    one; `worker`: what its worker does instead."""
    said = run(lingua, "--version").stdout
    version, commit = re.match(r"lingua (\S+) \(commit (\S+)\)", said).groups()
    files = {"lingua": f'#!/system/bin/sh\n[ "$1" != worker ] || {{ :; {worker or ":"}; }}\nexec {program or lingua} "$@"\n',
             "bundle.json": json.dumps({"version": version, "commit": commit, **facts})}
    with tarfile.open(file, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"lingua-arm64/{name}")
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
