#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_otlp_tls.py COLLECTOR WORKER: `otlp` over TLS, with certificates that openssl makes here: what is trusted is delivered, what is
not is refused, counted and told; our own certificate; and secrets that stand in headers are in no message."""

import os, re, shutil, ssl, subprocess, sys, tempfile

sys.dont_write_bytecode = True
from otlp_rig import COLLECTOR, case, check, done, run

if not shutil.which("openssl"):
    print("openssl is not installed: skipped")
    sys.exit(77)
work = tempfile.mkdtemp(prefix="gb-tls-")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_authority(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem")


def make_certificate(name, authority, names, days="2"):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
            "-out", f"{name}.csr")
    with open(f"{work}/{name}.ext", "w") as out:
        out.write(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-days",
            days, "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def server(name, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{work}/{name}.pem", f"{work}/{name}.key")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{work}/{clients}.pem")
    return context


def trust(name):
    return {"OTEL_EXPORTER_OTLP_CERTIFICATE": f"{work}/{name}.pem"}


try:
    for name in ("ours", "theirs"):
        make_authority(name)
    make_certificate("good", "ours", "IP:127.0.0.1")
    make_certificate("elsewhere", "ours", "DNS:elsewhere.example")
    make_certificate("expired", "ours", "IP:127.0.0.1", "0")
    make_certificate("client", "theirs", "DNS:client.example")

    for what, options, environment in (("OTEL_EXPORTER_OTLP_CERTIFICATE", "", trust("ours")), ("ca", f"ca={work}/ours.pem", {}),
                                       ("ca before the variable", f"ca={work}/ours.pem", trust("theirs"))):
        case(f"trusted by {what}")
        count, causes, seen, said = run({}, options, environment, tls=server("good"))
        check("dropped", causes, {})
        check("requests", len(seen), 1)

    for what, certificate, environment in (("nobody vouches for it", "good", {}), ("somebody else does", "good", trust("theirs")),
                                           ("it is another host's", "elsewhere", trust("ours")),
                                           ("it has expired", "expired", trust("ours"))):
        case(f"not trusted: {what}")
        count, causes, seen, said = run({}, "", environment, tls=server(certificate), deadline="1s")
        check("dropped", causes, {"tls": count})
        check("requests", len(seen), 0)
        check("said", bool(re.search(r"cannot send metrics to https://127\.0\.0\.1:\d+/v1/metrics: .*(SSL|certificate)", said)), True)

    case("our own certificate")
    own = {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": f"{work}/client.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY": f"{work}/client.key"}
    count, causes, seen, said = run({}, "", {**trust("ours"), **own}, tls=server("good", clients="theirs"))
    check("dropped", causes, {})
    check("requests", len(seen), 1)
    count, causes, seen, said = run({}, "", trust("ours"), tls=server("good", clients="theirs"), deadline="1s")
    check("none is asked for in vain", (sum(causes.values()), len(seen)), (count, 0))

    case("a file that is no certificate")
    with open(f"{work}/broken.pem", "w") as out:
        out.write("no certificate\n")
    count, causes, seen, said = run({}, f"ca={work}/broken.pem", {}, tls=server("good"), deadline="1s")
    check("dropped", causes, {"tls": count})

    case("secrets in headers, and in the URL, are in no message")
    directory = tempfile.mkdtemp(prefix="gb-test.", dir="/dev/shm")
    for line, ends in (("headers: ${TOKEN}", 1), ('headers: "a b${TOKEN}=c"', 1), ('headers: "Authorization=x%0d${TOKEN}"', 1),
                       ('headers: "Authorization=Bearer ${TOKEN}"', 0), ("endpoint: ftp://me:${TOKEN}@host", 1),
                       ("endpoint: http://me:${TOKEN}@127.0.0.1:1", 0), ("interval: ${TOKEN}", 1)):
        with open(f"{work}/c.yaml", "w") as out:
            out.write(f"reporters:\n  - otlp:\n      {line}\n")
        result = subprocess.run([COLLECTOR, "--once", "--flush-deadline", "1s", "--config", f"{work}/c.yaml", "--dir", directory], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "TOKEN": "CANARY"}, timeout=60)
        check(f"exit status with {line}", result.returncode, ends)
        check(f"secret of {line}", "CANARY" in result.stdout, False)
        if ends:
            check(f"something is said of {line}", line.split(":")[0] in result.stdout, True)
    shutil.rmtree(directory)
finally:
    shutil.rmtree(work)
done()
