"""What goes over a switch, and what of it a listener can use. For captured_test.sh.

    capture.py record FILE INTERFACE...     every frame, as pcap, until SIGTERM; "ready" when it has begun
    capture.py search FILE SECRETS.json --expect none|all
    capture.py replay FILE --expect sealed|open [--once] [--to HOST]
    capture.py port FILE HOST               where HOST listened

search: says how often each secret is in what was sent, and ends with 1 where it is not so: none is anywhere and
every connection is CURVE, whose messages are sealed; or all that are marked `in_clear` are there.
SECRETS.json: {"weights": MODEL.safetensors, "secrets": [{"what": "...", "hex": ["..."], "in_clear": true}]}.
replay: sends to each listener (or only to HOST's) once more what every client has sent it, byte by byte, at once
and in the recorded order, until SIGTERM (or once), and ends with 1 where none answers or more comes back than the
beginning of a handshake; or, for "open", where messages do not.
"""
import argparse
import collections
import json
import pathlib
import selectors
import signal
import socket
import struct
import sys
import threading

ETH_P_ALL, PACKET_OUTGOING = 3, 4
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 263, 6, 33, 35
SYN, ACK = 2, 16
HANDSHAKE = {"HELLO", "WELCOME", "INITIATE", "READY", "ERROR"}
BLOCK = 16  # any 64 bytes of a tensor hold three whole ones

stopped = threading.Event()


def record(path, interfaces):
    waiting = selectors.DefaultSelector()
    for interface in interfaces:
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 27)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listener.bind((interface, ETH_P_ALL))
        listener.setblocking(False)
        waiting.register(listener, selectors.EVENT_READ)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 1))  # with nanoseconds
        print("ready", flush=True)
        count, over = 0, False
        while not over:
            over = stopped.is_set()  # and what has come before that is still read
            for key, _ in waiting.select(0.05):
                for when, frame in frames_at(key.fileobj):
                    file.write(when + struct.pack("<II", len(frame), len(frame)) + frame)
                    count += 1
    lost = sum(struct.unpack("II", key.fileobj.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
               for key in waiting.get_map().values())
    print(f"{count} frames, {lost} lost")
    return lost == 0


def frames_at(listener):
    """Those that came in from a machine, each once: what goes out to one came from another."""
    while True:
        try:
            frame, extra, _, address = listener.recvmsg(1 << 18, 64)
        except BlockingIOError:
            return
        if address[2] != PACKET_OUTGOING:
            yield struct.pack("<II", *struct.unpack("qq", extra[0][2])), frame


class Stream:
    """What one end of a TCP connection sent."""

    def __init__(self, source, target, first, is_client):
        self.source, self.target, self.first, self.is_client = source, target, first, is_client
        self.bytes = bytearray()
        self.late = {}  # by offset: what came before what it follows
        self.parts = []  # time, bytes in order that had come by then

    def add(self, time, sequence, payload):
        self.late[(sequence - self.first) & 0xFFFFFFFF] = payload
        while fitting := [at for at in self.late if at <= len(self.bytes)]:
            for at in fitting:
                self.bytes += self.late.pop(at)[len(self.bytes) - at:]
        self.parts.append((time, len(self.bytes)))


def read_capture(path):
    """The streams, in the order of their beginning, and all frames that are not TCP."""
    capture = pathlib.Path(path).read_bytes()
    streams, current, others = [], {}, bytearray()
    frames, at = [], 24
    while at < len(capture):
        seconds, nanoseconds, size = struct.unpack_from("<III", capture, at)
        frames.append(((seconds, nanoseconds), capture[at + 16:at + 16 + size]))
        at += 16 + size
    for when, frame in sorted(frames, key=lambda one: one[0]):
        if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
            others += frame
            continue
        packet = frame[14:14 + struct.unpack_from("!H", frame, 16)[0]]
        segment = packet[(packet[0] & 15) * 4:]
        ports = struct.unpack_from("!HH", segment)
        sequence, flags = struct.unpack_from("!I", segment, 4)[0], segment[13]
        ends = (socket.inet_ntoa(packet[12:16]), ports[0]), (socket.inet_ntoa(packet[16:20]), ports[1])
        first = (sequence + 1) & 0xFFFFFFFF
        if flags & SYN and (ends not in current or current[ends].first != first):
            current[ends] = Stream(*ends, first, not flags & ACK)
            streams.append(current[ends])
        payload = segment[(segment[12] >> 4) * 4:]
        if payload and not flags & SYN:
            current[ends].add(when, sequence, payload)
    gaps = [stream for stream in streams if stream.late]
    if gaps:
        sys.exit(f"{path}: the recording of {gaps[0].source} to {gaps[0].target} has a gap")
    return streams, bytes(others)


def read_zmtp(sent):
    """The mechanism of a ZeroMQ connection, and how many there are of each command and of plain frames. CURVE sends
    commands only: its handshake, and MESSAGE, which is a counter and a box."""
    mechanism, counts, at = sent[12:32].rstrip(b"\0").decode("latin1"), collections.Counter(), 64
    while at + 9 < len(sent):
        is_long, is_command = sent[at] & 2, sent[at] & 4
        size = struct.unpack_from("!Q", sent, at + 1)[0] if is_long else sent[at + 1]
        at += 9 if is_long else 2
        body = sent[at:at + size]
        at += size
        named = is_command or mechanism == "CURVE"
        counts[body[1:1 + body[0]].decode("latin1") if named and body else "plain"] += 1
    return mechanism, counts


def blocks_of(path):
    """By name of a tensor: its blocks, where they are not the same few bytes over and over."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    found = {}
    for name, tensor in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in tensor["data_offsets"])
            found[name] = {block for i in range(begin, end - BLOCK + 1, BLOCK)
                           if len(set(block := data[i:i + BLOCK])) > 4}
    return {name: blocks for name, blocks in found.items() if blocks}


def search(path, secrets_file, expected):
    streams, others = read_capture(path)
    sent = [bytes(stream.bytes) for stream in streams] + [others]
    secrets = json.loads(pathlib.Path(secrets_file).read_text())
    good = check_mechanisms(streams, expected)
    for secret in secrets["secrets"]:
        forms = [bytes.fromhex(form) for form in secret["hex"]]
        count = sum(any(form in part for part in sent) for form in forms)
        print(f"  {secret['what']}: {count} of {len(forms)}")
        good &= count == 0 if expected == "none" else count > 0 or not secret["in_clear"]
    tensors = blocks_of(secrets["weights"])
    wanted = set().union(*tensors.values())
    seen = {part[i:i + BLOCK] for part in sent for i in range(len(part)) if part[i:i + BLOCK] in wanted}
    touched = sum(not blocks.isdisjoint(seen) for blocks in tensors.values())
    print(f"  weights: {len(seen)} of {len(wanted)} blocks of {BLOCK} bytes, of {touched} of {len(tensors)} tensors")
    return good and (not seen if expected == "none" else touched == len(tensors))


def check_mechanisms(streams, expected):
    spoken, in_clear = collections.Counter(), collections.Counter()
    for stream in streams:
        if len(stream.bytes) >= 64:
            mechanism, counts = read_zmtp(bytes(stream.bytes))
            spoken[mechanism] += 1
            in_clear.update(counts)
    total = sum(len(stream.bytes) for stream in streams)
    print(f"  {len(streams) // 2} connections, {total} bytes: {dict(spoken)}; {dict(in_clear)}")
    if expected == "none":
        return set(spoken) == {"CURVE"} and set(in_clear) <= HANDSHAKE | {"MESSAGE"} and in_clear["MESSAGE"] > 0
    return set(spoken) == {"NULL"}


class Replay:
    """One client's side of a connection, again and again."""

    def __init__(self, client, server, patience):
        self.target, self.data, self.patience = client.target, bytes(client.bytes), patience
        self.steps = sorted([(when, True, size) for when, size in client.parts] +
                            [(when, False, size) for when, size in server.parts])
        self.counts, self.tries = collections.Counter(), 0

    def once(self, in_order):
        came = bytearray()
        try:
            with socket.create_connection(self.target, 1) as connection:
                connection.settimeout(self.patience)
                done = 0
                for _, sends, size in self.steps if in_order else [(None, True, len(self.data))]:
                    if sends:
                        connection.sendall(self.data[done:size])
                        done = max(done, size)
                    else:
                        self.hear(connection, came, size)
                self.hear(connection, came, None)
        except OSError:  # it was sent away, or nobody listens there now
            pass
        if came:
            self.tries += 1
            self.counts.update(read_zmtp(bytes(came))[1])

    def hear(self, connection, came, size):
        """Until so much has come, or all that comes."""
        try:
            while (size is None or len(came) < size) and (more := connection.recv(1 << 16)):
                came += more
        except TimeoutError:
            pass

    def run(self, once):
        while True:
            self.once(True)
            self.once(False)
            if once or stopped.wait(0.05):
                return


def replay(path, expected, once, host):
    streams, _ = read_capture(path)
    answers = {(stream.source, stream.target): stream for stream in streams if not stream.is_client}
    replays = [Replay(stream, answers[stream.target, stream.source], 2 if once else 0.2) for stream in streams
               if stream.is_client and len(stream.bytes) > 64 and host in ("", stream.target[0])]
    threads = [threading.Thread(target=one.run, args=(once,)) for one in replays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = True
    for target in sorted({one.target for one in replays}):
        there = [one for one in replays if one.target == target]
        counts = sum((one.counts for one in there), collections.Counter())
        tries = sum(one.tries for one in there)
        print(f"  {len(there)} connections replayed to {target[0]}:{target[1]}, {tries} times answered: {dict(counts)}")
        if expected == "sealed":
            good &= tries > 0 and set(counts) <= {"WELCOME", "ERROR"}
        else:
            good &= counts["plain"] > 0
    return good


def port(path, host):
    streams, _ = read_capture(path)
    print(next(stream.target[1] for stream in streams if stream.is_client and stream.target[0] == host))
    return True


def main():
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    if sys.argv[1] == "record":
        return record(sys.argv[2], sys.argv[3:])
    if sys.argv[1] == "port":
        return port(*sys.argv[2:])
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["search", "replay"])
    parser.add_argument("file")
    parser.add_argument("secrets", nargs="?")
    parser.add_argument("--expect", required=True)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--to", default="")
    options = parser.parse_args()
    if options.verb == "search":
        return search(options.file, options.secrets, options.expect)
    return replay(options.file, options.expect, options.once, options.to)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
