"""What a study asks of `lingua`: coordinators that phones join, plans, predictions, and samples meanwhile."""
import json
import re
import signal
import subprocess
import threading
import time

from adb import USAGE, PhoneLost, Trouble, last_line, with_parent

SAMPLE_EVERY_S = 5
JOIN = re.compile(r"^  ([A-Za-z0-9._-]+), (?:new|known).* --join (lingua://\S+)$")


class Lingua:
    def __init__(self, program):
        self.program = program
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True)
        except OSError as error:
            raise Trouble(f"{program}: {error.strerror}; build it (cmake --preset release; cmake --build --preset release), or say "
                          "where it is in LINGUA", USAGE) from None
        found = re.match(r"lingua (\S+) \(commit (\S+)\)", said.stdout)
        if said.returncode != 0 or found is None:
            raise Trouble(f"{program}: does not tell its version: {last_line(said.stderr or said.stdout)}", USAGE)
        self.version, self.commit = found.groups()

    def knows(self, verb):
        return subprocess.run([self.program, verb, "--help"], capture_output=True).returncode == 0

    def ask(self, *arguments, log=None):
        """A verb's JSON. Errors: Trouble with its own last line and its code."""
        process = subprocess.Popen([self.program, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=with_parent)
        try:
            out, errors = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if log:
            log.write_text(errors)
        if process.returncode != 0:
            raise Trouble(f"lingua {arguments[0]}: {last_line(errors)}", max(process.returncode, 1))
        return json.loads(out) if "--json" in arguments else out


class Sampler(threading.Thread):
    """Each phone's battery, heat and clocks, every SAMPLE_EVERY_S. Rows end up in `rows`."""

    def __init__(self, phones, began):
        super().__init__(daemon=True)
        self.phones, self.began = phones, began
        self.phase = "at rest"
        self.rows = []
        self.ended = threading.Event()

    def run(self):
        due = time.monotonic()
        while not self.ended.wait(max(0, due - time.monotonic())):
            due += SAMPLE_EVERY_S
            for phone in self.phones:
                try:
                    values = phone.sample()
                except (Trouble, IndexError):
                    continue  # that it is gone others notice
                self.rows.append({"time_s": round(time.monotonic() - self.began, 2), "phone": phone.name,
                                  "phase": self.phase, **values})

    def end(self):
        self.ended.set()
        if self.is_alive():
            self.join(60)


class Gathering:
    """Workers on phones, and the coordinators that they join one after another."""

    def __init__(self, lingua, phones, bundle, options, out, tell):
        self.lingua, self.phones, self.bundle, self.options, self.out, self.tell = lingua, phones, bundle, options, out, tell
        self.keys = out / "keys"
        self.listen = ""
        self.worker_listen = {}

    def join_options(self):
        return ["--listen", self.listen, "--keys", self.keys, "--join-timeout", self.options.patience]

    def start_worker(self, name, line):
        phone = next((one for one in self.phones if one.name == name), None)
        if phone is None or phone.worker is not None:
            return
        phone.start_worker(self.bundle, line, self.worker_listen.get(name, "tcp://*:*"),
                           ["--cpus", self.options.cpus, "--join-timeout", str(self.options.patience), "--loss-timeout",
                            str(self.options.loss_timeout)],
                           self.out / "logs" / f"{name}.worker.txt")

    def check_workers(self, begun):
        """A phone whose worker has ended. Before a run has begun that is the end of it."""
        for phone in self.phones:
            if phone.worker is None or phone.left or phone.worker.poll() is None:
                continue
            there = phone.is_there()
            reason = f"its worker ended: {last_line(phone.worker_log.read_text(errors='replace'))}" if there \
                else "adb does not list it any more"
            phone.left = reason
            if not begun:
                raise PhoneLost(f"{phone} left before the run had begun: {reason}; see to it and start again")
            self.tell(f"{phone} left in mid-run: {reason}; the run goes on without it if the others can hold the model")

    def coordinate(self, verb, arguments, log):
        """Runs a coordinator to its end; workers are started when it says how to join. Returns its standard output."""
        command = [self.lingua.program, verb, *map(str, arguments), *map(str, self.join_options())]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   errors="replace", start_new_session=True, preexec_fn=with_parent)
        lines, joins, out, begun = [], [], [], threading.Event()

        def read_errors():
            with open(log, "w") as file:
                for line in process.stderr:
                    file.write(line)
                    file.flush()
                    line = line.rstrip("\n")
                    lines.append(line)
                    join = JOIN.match(line)
                    if join:
                        joins.append(join.groups())
                    elif line.startswith(("sending weights", "answering", "measur")):
                        begun.set()
                        self.tell(f"  {line.strip()}", passing=True)
        readers = [threading.Thread(target=read_errors, daemon=True),
                   threading.Thread(target=lambda: out.append(process.stdout.read()), daemon=True)]
        try:
            for reader in readers:
                reader.start()
            while process.poll() is None:
                while joins:
                    self.start_worker(*joins.pop(0))
                self.check_workers(begun.is_set())
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for reader in readers:
                reader.join(10)
        if process.returncode != 0:
            self.explain(verb, process.returncode, lines, begun.is_set())
        return out[0] if out else ""

    def explain(self, verb, code, lines, begun):
        time.sleep(0.5)  # what a worker has said meanwhile
        left = [phone for phone in self.phones if phone.left]
        message = f"lingua {verb}: {last_line(chr(10).join(lines))}"
        if left:
            message += "; " + "; ".join(f"{phone} left: {phone.left}" for phone in left)
        elif code == 5 and not begun:
            message += ("; do phones and this machine reach each other (same Wi-Fi, no client isolation, no firewall for "
                        f"{self.listen})? Else try --usb. What the workers said: {self.out / 'logs'}")
        raise Trouble(message, code if code > 0 else 1)


def cooled(sample, rest, margin):
    """Whether a phone is as cool as it was at rest, within so many degrees. What is not known is cool."""
    for name in ("skin_c", "battery_c"):
        if sample.get(name) is not None and rest.get(name) is not None:
            warm = sample[name] > rest[name] + margin
            break
    else:
        warm = False
    hotter = (sample.get("thermal_status") or 0) > (rest.get("thermal_status") or 0)
    return not warm and not hotter


def wait_until_cool(phones, margin, patience, tell):
    """Returns how long that took, and who is not cool at the end of the patience."""
    began = time.monotonic()
    while True:
        warm = [phone for phone in phones if not cooled(phone.sample(), phone.facts, margin)]
        took = time.monotonic() - began
        if not warm or took >= patience:
            return took, [phone.name for phone in warm]
        tell(f"  waiting for {', '.join(phone.name for phone in warm)} to cool down: {took:.0f} s", passing=True)
        time.sleep(min(SAMPLE_EVERY_S, patience))


def compare_tokens(reference, repeats):
    """For each request of each repeat: how many tokens are there, and the first that differs (None: none does)."""
    rows = []
    expected = {request["request"]: request["tokens"] for request in reference["requests"]}
    for number, run in enumerate(repeats, 1):
        for request in run["requests"]:
            want, got = expected[request["request"]], request["tokens"]
            differs = next((i for i, pair in enumerate(zip(want, got)) if pair[0] != pair[1]), None)
            if differs is None and len(want) != len(got):
                differs = min(len(want), len(got))
            rows.append({"repeat": number, "request": request["request"], "tokens": len(got), "expected": len(want),
                         "first_difference": differs})
    return rows


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"mean": sum(values) / len(values), "least": min(values), "most": max(values)}


def compare_devices(predicted, repeats, phones):
    """Seconds of computing in a run, by phone."""
    busy = [{one["name"]: one["busy_s"] for one in run["devices"]} for run in repeats]
    model = {one["name"]: one["busy_s"] for one in predicted["devices"]} if predicted else {}
    return [{"phone": phone.name, "predicted_s": model.get(phone.name, 0.0) if predicted else None,
             "measured_s": spread([run.get(phone.name, 0.0) for run in busy])} for phone in phones]


def compare_links(predicted, repeats):
    """Milliseconds a message takes, by link."""
    found = {}
    for run in [predicted, *repeats] if predicted else repeats:
        for link in run["links"]:
            found.setdefault((link["from"], link["to"]), {"predicted": [], "measured": [], "messages": 0, "bytes": 0})
            one = found[link["from"], link["to"]]
            one["predicted" if run is predicted else "measured"].append(1000 * link["mean_s"])
            if run is not predicted:
                one["messages"], one["bytes"] = link["messages"], link["bytes"]
    return [{"from": key[0], "to": key[1], "predicted_ms": one["predicted"][0] if one["predicted"] else None,
             "measured_ms": spread(one["measured"]), "messages": one["messages"], "bytes": one["bytes"]}
            for key, one in found.items()]


WHOLE = [("tokens_per_s", "tokens/s", 1, ""), ("ttft_s", "time to first token", 1000, "ms"),
         ("tpot_s", "time per further token", 1000, "ms"), ("makespan_s", "the whole run", 1, "s")]


def compare_whole(predicted, repeats):
    planned = repeats[0]["plan"]["estimate"]
    return [{"figure": text, "unit": unit, "planned": planned[name] * by if name in planned else None,
             "predicted": predicted[name] * by if predicted else None,
             "measured": spread([run[name] * by for run in repeats])} for name, text, by, unit in WHOLE]
