# SPDX-License-Identifier: MIT
"""What the tests of `otlp` share: a receiver that does what it is told, and collectors that send to it. Their arguments: COLLECTOR
WORKER."""

import os, re, shutil, socket, struct, subprocess, sys, tempfile, threading, time

COLLECTOR, WORKER = sys.argv[1:3]
DEADLINE = 60
failures = []


def check(what, found, expected):
    if found != expected:
        failures.append(what)
        print(f"FAILED: {what}: {found!r}, not {expected!r}")


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def partial(rejected, message):
    inner = b"\x08" + varint(rejected) + b"\x12" + varint(len(message)) + message.encode()
    return b"\x0a" + varint(len(inner)) + inner


def answer(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Receiver:
    """Takes whole requests; `script` gives what each of a path gets: bytes to send, or a function of the connection."""

    def __init__(self, script, tls=None):
        self.script, self.seen = {path: list(steps) for path, steps in script.items()}, []
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        if self.tls:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:  # the other side did not like us, or we it
                return
        stream = connection.makefile("rb")
        try:
            while True:
                request = stream.readline().decode().split()
                if not request:
                    return
                headers = {}
                while (line := stream.readline().decode().strip()):
                    key, value = line.split(":", 1)
                    headers[key.lower()] = value.strip()
                body = stream.read(int(headers["content-length"]))
                steps = self.script.get(request[1], [answer(200)])
                step = steps.pop(0) if len(steps) > 1 else steps[0]
                self.seen.append((request[1], headers, body, time.monotonic()))
                if callable(step):
                    step(connection)
                    return
                connection.sendall(step)
        except OSError:
            pass
        finally:
            stream.close()
            connection.close()

    def close(self):
        self.listener.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def slowly(connection):
    for byte in answer(200):
        connection.sendall(bytes([byte]))
        time.sleep(1)


def endlessly(status):
    def send(connection):
        connection.sendall(f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while True:
            connection.sendall(b"10000\r\n" + 65536 * b"x" + b"\r\n")

    return send


def ledger(text):
    """Delivered, and dropped by cause, of otlp."""
    row = re.search(r"^  otlp +([\d,]+) +([\d,]+)((?:.*\n(?!  \w+ +[\d,]+ +[\d,]+))*)", text, re.M)
    number = lambda digits: int(digits.replace(",", ""))
    causes = {cause: number(digits) for cause, digits in re.findall(r"([a-z_]\w*) (\d{1,3}(?:,\d{3})*|\d+)", row[3])}
    check("sum of the causes", sum(causes.values()), number(row[2]))
    return number(row[1]), causes


def run(script, options="", environment={}, port=None, tls=None, deadline="5s"):
    receiver = Receiver(script, tls)
    directory = tempfile.mkdtemp(prefix="gb-test.", dir="/dev/shm")
    try:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "GEMINI_BATCH_"))}
        subprocess.run([WORKER], check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE,
                       env={**clean, "GEMINI_BATCH_TELEMETRY": "1", "GEMINI_BATCH_TELEMETRY_DIR": directory})
        given = {k: v.replace("PORT", str(receiver.port)) for k, v in environment.items()}
        endpoint = [] if "OTEL_EXPORTER_OTLP_ENDPOINT" in given else [
            f"endpoint=http{'s' if tls else ''}://127.0.0.1:{port or receiver.port}/"]
        spec = "otlp:" + ",".join(endpoint + ([options] if options else []))
        result = subprocess.run([COLLECTOR, "--once", "--flush-deadline", deadline, "--dir", directory, "--reporter", spec],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE, env={**clean, **given})
        check("exit status", result.returncode, 0)
        if "left behind" in result.stdout:
            failures.append("left behind")
            print(result.stdout)
        attempted = int(re.search(r"attempted +([\d,]+)", result.stdout)[1].replace(",", ""))
        delivered, causes = ledger(result.stdout)
        check("delivered + dropped", delivered + sum(causes.values()), attempted)
        return attempted, causes, receiver.seen, result.stdout
    finally:
        receiver.close()
        shutil.rmtree(directory)


def run_daemon(script, options, workers, attempted_each):
    """A collector that stays while workers come and go."""
    receiver = Receiver(script)
    directory = tempfile.mkdtemp(prefix="gb-test.", dir="/dev/shm")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "GEMINI_BATCH_"))}
    collector = subprocess.Popen([COLLECTOR, "--dir", directory, "--reporter",
                                  f"otlp:endpoint=http://127.0.0.1:{receiver.port},{options}"], env=clean, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(workers):
            subprocess.run([WORKER], check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE,
                           env={**clean, "GEMINI_BATCH_TELEMETRY": "1", "GEMINI_BATCH_TELEMETRY_DIR": directory})
        end = time.monotonic() + DEADLINE
        while len(receiver.seen) < sum(map(len, script.values())) and time.monotonic() < end:
            time.sleep(0.05)
        collector.terminate()
        said, _ = collector.communicate(timeout=DEADLINE)
        check("exit status", collector.returncode, 0)
        delivered, causes = ledger(said)
        attempted = int(re.search(r"attempted +([\d,]+)", said)[1].replace(",", ""))
        check("delivered + dropped", delivered + sum(causes.values()), attempted)
        check("attempted", attempted, workers * attempted_each)
        return causes, receiver.seen, said
    finally:
        collector.kill()
        collector.wait()
        receiver.close()
        shutil.rmtree(directory)


def case(name):
    print(f"-- {name}", flush=True)


def metrics(step, *more):
    return {"/v1/metrics": [step, *more]}


def done():
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)
