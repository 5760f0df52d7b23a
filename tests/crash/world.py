# SPDX-License-Identifier: Apache-2.0
"""What tests/crash/run, tests/flow/34-faults and 36-epochs share: a real verifier, nodes with the real plumbd and a software TPM, and
fault.c between plumbd and what is below it. Everything lies in one directory and is stopped by its own pid."""
import base64, contextlib, glob, hashlib, json, mmap, os, pathlib, re, shutil, signal, socket, sqlite3, struct, subprocess, sys, tempfile, time

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
O = os.path.realpath(os.environ.get("O", "build"))
SHIM = O + "/tests/crash/libtss2-tcti-swtpm-fault.so"
SANITIZED = b"__asan_init" in open(O + "/plumbd", "rb").read() if os.path.exists(O + "/plumbd") else False
SLOWER = 4 if SANITIZED else 1
PCR = 15
NONE, KILL_BEFORE, KILL_HALF, KILL_AFTER, ERROR, SHORT, LOST, SLOW = range(8)
DEEDS = ["none", "kill-before", "kill-half", "kill-after", "error", "short", "lost", "slow"]
HEADER, FILE, MAX_FILES = 152, 208, 256
os.environ.update(TSS2_LOG="all+none")
os.environ["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "").replace("detect_leaks=1", "")

POLICY = """name: crash
version: 1
rules:
  - id: fork
    title: A ledger with two histories
    when: {finding: fork}
    severity: critical
    action: hold
    release: ack
    score: 900
    claim: executables
    value: 33
tests:
  - name: one
    given: {finding: fork}
    expect: fork
"""


class Wrong(Exception):
    """What must hold does not."""


def need(condition, text):
    if not condition:
        raise Wrong(text)


def slower():
    """Times what an idle machine takes: whoever shares processors with others that want them is given as much of them, not less."""
    return SLOWER * max(1, os.getloadavg()[0] / os.cpu_count())


def until(seconds, fn, text, pause=0.02):
    begun = time.monotonic()
    while True:
        got = fn()
        if got:
            return got
        patience = seconds * slower()
        if time.monotonic() - begun > patience:
            raise Wrong("not within %g s: %s" % (patience, text() if callable(text) else text))
        time.sleep(pause)


def why_not():
    """Why nothing of this can run here; None: it can."""
    if os.geteuid() != 0:
        return "needs root to run the agent"
    if not shutil.which("swtpm") or not shutil.which("swtpm_setup") or not shutil.which("tpm2_pcrread"):
        return "no swtpm or no tpm2-tools"
    if not os.path.exists(SHIM):
        return "no " + SHIM
    return None


def run(*args, **more):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def must(*args, **more):
    r = run(*args, **more)
    need(r.returncode == 0, "%s: exit %d: %s" % (" ".join(args[:3]), r.returncode, r.stdout[-600:]))
    return r.stdout


def free_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    return port


class Tpm:
    def __init__(self, directory):
        self.dir, self.pid = directory, None
        self.start()

    def start(self):
        self.tcti = must("tests/swtpm-start", self.dir, "--ecc").split("\n")[0]
        self.pid = int(open(self.dir + "/pid").read())
        self.port = int(re.search(r"port=(\d+)", self.tcti).group(1))

    def stop(self):
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.pid = None

    def again(self):
        """Another process, another port: the reset count goes up."""
        self.stop()
        self.start()

    def tool(self, *args):
        return must(*args, "-T", self.tcti)

    def init(self):
        must("swtpm_ioctl", "--tcp", "127.0.0.1:%d" % (self.port + 1), "-i")

    def power_cut(self):
        """The same process goes on as after a power cut."""
        self.init()
        self.tool("tpm2_startup", "-c")

    def suspend(self, clear=False):
        """Shutdown(STATE), then Startup(STATE): suspend; or Startup(CLEAR): the register is zero with the reset count kept."""
        self.tool("tpm2_shutdown")
        self.init()
        self.tool("tpm2_startup", *(["-c"] if clear else []))

    def read(self):
        text = self.tool("tpm2_pcrread", "sha256:%d" % PCR)
        return bytes.fromhex(re.search(r"%d\s*: 0x([0-9A-Fa-f]{64})" % PCR, text).group(1))

    def extend(self, digest):
        self.tool("tpm2_pcrextend", "%d:sha256=%s" % (PCR, digest))


class Verifier:
    def __init__(self, work, *yaml):
        self.dir, self.process, self.log, self.work = work + "/verifier", None, work + "/verifier.log", work
        must(O + "/plumb-verifier", "--data-dir=" + self.dir, "--hosts=127.0.0.1", "init", "alice")
        self.key = self.dir + "/operators/alice.key"
        self.at(free_port(), work + "/verifier.yaml", yaml)
        self.start()

    def at(self, port, config, yaml):
        """Where it is to be found, and by what file it is set up."""
        self.port, self.config = port, config
        self.env = dict(os.environ, PLUMBCTL_CONFIG=self.dir + "/plumbctl.yaml")
        client = pathlib.Path(self.dir, "plumbctl.yaml")
        text = re.sub(r"(?m)^server:.*", "server: https://127.0.0.1:%d" % port, client.read_text())
        client.write_text(re.sub(r"/[^ \n]*/(verifier|second)/", self.dir + "/", text))
        pathlib.Path(config).write_text("\n".join(["data_dir: " + self.dir, "listen: 127.0.0.1:%d" % port, *yaml, ""]))

    def start(self, env=None):
        self.process = subprocess.Popen([O + "/plumb-verifier", "--config=" + self.config],
                                        stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, env=env or os.environ)
        until(10, lambda: self.ctl("node", "list").returncode == 0, "the verifier answers")

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def has(self, label):
        """How many lines of a node a verifier that was stopped has: by evidence or ahead of it, and confirmed by a quote. What the node
        knows may be less: an answer that it did not get any more."""
        need(not self.process, "it is stopped")
        with contextlib.closing(sqlite3.connect("file:%s/store.db?mode=ro" % self.dir, uri=True)) as db:
            head, ahead, base = db.execute("SELECT head_size, prov_size, base_size FROM node WHERE label=? ORDER BY enrolled_ns DESC", (label,)).fetchone()
        return max(head, ahead), base

    def ctl(self, *args):
        return run(O + "/plumbctl", *args, env=self.env)

    def must(self, *args):
        r = self.ctl(*args)
        need(r.returncode == 0, "plumbctl %s: exit %d: %s" % (" ".join(args[:3]), r.returncode, r.stdout[-600:]))
        return r.stdout

    def show(self, label):
        return json.loads(self.must("node", "show", label, "--json"))

    def cases(self, label, open_only=True):
        return [k for k in self.show(label)["cases"] if not (open_only and k["closed"])]

    def until_state(self, label, state, seconds=12):
        until(seconds, lambda: self.show(label)["state"] == state, lambda: "%s: %s" % (state, self.brief(label)), 0.1)

    def until_case(self, label, key, seconds=12):
        until(seconds, lambda: self.has_case(label, key), lambda: "a case %s: %s" % (key, self.brief(label)), 0.1)

    def brief(self, label):
        s = self.show(label)
        s.pop("verdict")
        return json.dumps({k: s[k] for k in ("state", "cause", "findings", "size", "confirmed", "incarnation")} | {
            "cases": ["%s: %s" % (k["key"], k["found"]) for k in s["cases"]]})

    def has_case(self, label, key):
        return any(k["key"] == key for k in self.cases(label))

    def refusals(self):
        return [l for l in open(self.log, errors="replace") if "evidence=refused" in l or "evidence=forked" in l]


class Node:
    """One node: its TPM, its ledger, its agent."""

    def __init__(self, verifier, work, label, tpm=None, token=True, **options):
        self.v, self.label, self.dir, self.options = verifier, label, work + "/" + label, options
        for d in ("", "/etc"):
            os.makedirs(self.dir + d, exist_ok=True)
        self.etc, self.ledger, self.state = self.dir + "/etc", self.dir + "/node/ledger", self.dir + "/node/state"
        self.log = self.dir + "/log"
        self.tpm = tpm or Tpm(self.dir + "/tpm")
        self.process, self.n_writes, self.starts, self.packed = None, 0, 0, {}
        path = self.dir + "/control"
        with open(path, "wb") as f:
            f.write(bytes(HEADER + FILE * MAX_FILES))
        self.control_path = path
        self.control = mmap.mmap(os.open(path, os.O_RDWR), HEADER + FILE * MAX_FILES)
        self.set(no_bpf=1)
        if verifier and token:
            self.make_token()

    def make_token(self):
        old = os.umask(0o77)
        pathlib.Path(self.dir, "token").write_text(self.v.must("token", "create", "--label", self.label))
        os.umask(old)

    def anew(self):
        """Ledger and state go; the TPM stays: the next start enrols it again."""
        shutil.rmtree(self.dir + "/node")
        self.packed = {}
        self.forget_files()
        self.make_token()

    # --- fault.c ---
    OFFSETS = dict(armed=(0, "<I"), fired=(4, "<I"), deed=(8, "<I"), nth=(12, "<I"), count=(16, "<I"), value=(20, "<I"), power=(24, "<I"),
                   no_bpf=(28, "<I"), clock_s=(32, "<q"), boot_s=(40, "<q"))

    def set(self, **fields):
        for k, v in fields.items():
            at, form = self.OFFSETS[k]
            self.control[at:at + struct.calcsize(form)] = struct.pack(form, v)

    def get(self, k):
        at, form = self.OFFSETS[k]
        return struct.unpack(form, self.control[at:at + struct.calcsize(form)])[0]

    def boot_id(self, text):
        self.control[80:144] = text.encode().ljust(64, b"\0")

    def arm(self, place, deed, nth=1, count=1, value=0, power=0):
        self.set(deed=NONE)
        self.control[48:80] = place.encode().ljust(32, b"\0")
        self.set(nth=nth, count=count, value=value, power=power, fired=0)
        self.set(deed=deed)
        self.set(armed=self.get("armed") + 1)

    def disarm(self):
        self.set(deed=NONE)

    def forget_files(self):
        """What lies there now is durable."""
        self.control[144:148] = bytes(4)

    # --- the agent ---
    def command(self, *more):
        c = [O + "/plumbd", "--config=/dev/null", "--ledger-dir=" + self.ledger, "--state-dir=" + self.state,
             "--tpm=swtpm-fault:" + self.tpm.tcti, "--watch=" + self.etc, "--watch-runtime=false", "--batch=20ms", "--scan-interval=24h",
             "--slow-scan-interval=24h", "--rescan-interval=24h", "--verbose=true", "--label=" + self.label, "--pcr-index=%d" % PCR]
        if self.v:
            c += ["--verifier=https://127.0.0.1:%d" % self.v.port, "--evidence-interval=%s" % self.options.get("interval", "500ms"),
                  "--join-token-file=" + self.dir + "/token"]
        return c + list(self.options.get("extra", ())) + list(more)

    def start(self, *more):
        env = dict(os.environ, LD_PRELOAD=SHIM, LD_LIBRARY_PATH=os.path.dirname(SHIM), PLUMB_FAULT=self.control_path, PLUMB_FAULT_DIR=self.dir + "/node",
                   PLUMB_FAULT_PORT=str(self.v.port if self.v else 0))
        self.seen = self.n_lines()
        self.process = subprocess.Popen(self.command(*more), stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, env=env)
        self.starts += 1

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how=signal.SIGKILL):
        """Ends the agent, or takes note that it ended; its exit code, or minus its signal."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait()
        self.process = None
        return code

    def tail(self, n=25):
        if not os.path.exists(self.log):
            return ""
        return "".join([l for l in open(self.log, errors="replace") if "libbpf" not in l][-n:])

    # --- what lies on its disk ---
    def lines(self):
        out, paths = [], {}
        for path in glob.glob(self.ledger + "/events-*.jsonl*"):
            stem = path.split(".jsonl")[0]
            if path.endswith(".jsonl") or (path.endswith(".zst") and stem not in paths):
                paths[stem] = path
        for stem in sorted(paths):
            out += self.segment(paths[stem]).split(b"\n")[1:-1]
        return out

    def segment(self, path):
        if path.endswith(".zst"):
            if path not in self.packed:
                self.packed[path] = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=False).stdout
            return self.packed[path]
        try:
            return open(path, "rb").read()
        except FileNotFoundError: # packed just now
            return self.segment(path + ".zst")

    def n_lines(self):
        return len(self.lines())

    def records(self, kind=None):
        """Lines as objects; those of a kind."""
        return [r for r in (json.loads(l) for l in self.lines()) if kind is None or r["type"] == kind]

    def cosigned(self):
        """The newest size that the verifier cosigned, as the node has it."""
        try:
            name = json.load(open(self.ledger + "/record.json"))["witness_name"]
            sizes = [int(l.split(" ")[0]) for l in open(self.ledger + "/notes", errors="replace") if (" %s " % name) in l and l.endswith("\n")]
        except (OSError, ValueError):
            return 0
        return max(sizes, default=0)

    def write(self, text=None, own=False):
        """A watched file gets a content that it never had; its digest. own: a file of its own, so that no later one can overtake it."""
        self.n_writes += 1
        data = (text or "%s %d\n" % (self.label, self.n_writes)).encode()
        with open(self.etc + ("/file%d" % self.n_writes if own else "/file"), "wb") as f:
            f.write(data)
        return "sha256:" + hashlib.sha256(data).hexdigest()

    def told(self, digest):
        return any(digest.encode() in l for l in self.lines())

    def good(self, seconds=12):
        """Until the verifier accepted evidence that covers all that was there when the agent started, and more."""
        def is_good():
            need(self.process.poll() is None, "the agent ended with %s\n%s" % (self.process.returncode, self.tail()))
            return self.cosigned() > self.seen
        until(seconds, is_good, lambda: "evidence of %s is accepted\n%s" % (self.label, self.tail()))

    def caught_up(self, seconds=12):
        """Until all that is there now is cosigned."""
        n = self.n_lines()
        until(seconds, lambda: self.cosigned() >= n, lambda: "all %d lines of %s are cosigned, not %d\n%s" % (n, self.label, self.cosigned(), self.tail()))

    # --- what must hold while nobody runs ---
    def anchors(self):
        """The register's value as the anchors tell it, and with what is pending."""
        data = open(self.ledger + "/anchors", "rb").read() if os.path.exists(self.ledger + "/anchors") else b""
        at, fold, extend, head = len(b"plumb-anchors-v1\n"), bytes(32), None, 0
        origin = json.load(open(self.ledger + "/record.json"))["origin"] if data else ""
        while at + 4 <= len(data):
            size = struct.unpack(">I", data[at:at + 4])[0]
            rest = data[at + 4:at + 4 + size]
            at += 4 + size
            if len(rest) < size or hashlib.sha256(rest[:-4]).digest()[:4] != rest[-4:]:
                break  # torn: only at the end, which the checkers see to
            kind, body = struct.unpack(">H", rest[:2])[0], rest[2:-4]
            if kind == 1 and body[25] != 2:
                fold = body[26:58]
            elif kind == 2:
                n, root = struct.unpack(">Q", body[:8])[0], body[8:40]
                text = ("%s\n%d\n%s\n" % (origin, n, base64.b64encode(root).decode())).encode()
                extend = hashlib.sha256(text).digest()
            elif kind == 3:
                fold, extend, head = body[:32], None, n
            elif kind == 4:
                fold = body[32:64]
        # What was begun before an epoch is begun still: a second start in it may extend that before it writes anything.
        return fold, extend and hashlib.sha256(fold + extend).digest(), head

    def check(self, acknowledged=0, zeroed=False, python=False, unproven=True):
        """The ledger verifies, and nothing that somebody was told of is missing."""
        if not glob.glob(self.ledger + "/events-*.jsonl*") or not os.path.exists(self.ledger + "/record.json"):
            need(acknowledged == 0, "%d lines were acknowledged, and there is no ledger" % acknowledged)
            return
        need(self.n_lines() >= acknowledged, "%d lines were acknowledged, and %d are there" % (acknowledged, self.n_lines()))
        checkers = [[O + "/plumbctl", "ledger", "verify", self.ledger]]
        if python:
            checkers.append([sys.executable, "deploy/plumb-ledger-check.py", self.ledger])
        codes = []
        for c in checkers:
            r = run(*c)
            codes.append(r.returncode)
            need(r.returncode in ((0, 2) if unproven else (0,)), "%s: exit %d: %s" % (os.path.basename(c[-2]), r.returncode, r.stdout[-1500:]))
        need(len(set(codes)) == 1, "the two checkers do not agree: %s" % codes)
        value, (fold, pending, _) = self.tpm.read(), self.anchors()
        # Zeroed, and nobody looked since.
        if not (zeroed and value == bytes(32)):
            need(value in (fold, pending), "the register holds %s, the anchors say %s or %s" % (
                value.hex()[:16], fold.hex()[:16], (pending or b"").hex()[:16]))


class World:
    def __init__(self, name, *yaml, n_tpms=1):
        self.work = tempfile.mkdtemp(prefix="plumb-%s." % name, dir="/tmp")
        self.nodes, self.tpms, self.verifiers = [], [], []
        self.tpms = [Tpm("%s/tpm%d" % (self.work, i)) for i in range(n_tpms)]
        anchors = "".join(open(t.dir + "/ca.pem").read() for t in self.tpms)
        pathlib.Path(self.work, "anchors.pem").write_text(anchors)
        self.yaml = ["emulated_anchors: %s/anchors.pem" % self.work, *yaml]
        self.v = self.verifier("")

    def verifier(self, name, *yaml):
        work = self.work + name
        os.makedirs(work, exist_ok=True)
        v = Verifier(work, *self.yaml, *yaml)
        self.verifiers.append(v)
        return v

    def policy(self, v, etc):
        """A baseline of one watched directory, and a policy that asks for something only where there is a fork."""
        base, source, bundle = (v.work + "/" + f for f in ("base.jsonl", "policy.yaml", "policy.json"))
        v.must("baseline", "capture", "--name", "crash", "--file", etc, "-o", base)
        v.must("baseline", "sign", "--key", v.key, base)
        v.must("baseline", "push", base)
        pathlib.Path(source).write_text(POLICY)
        v.must("policy", "sign", "--key=" + v.key, "-o", bundle, source)
        v.must("policy", "push", bundle)

    def node(self, label, tpm=0, verifier=None, **options):
        n = Node(verifier or self.v, self.work, label, self.tpms[tpm] if isinstance(tpm, int) else tpm, **options)
        self.nodes.append(n)
        return n

    def close(self):
        for n in self.nodes:
            n.end()
        for v in self.verifiers:
            v.stop(signal.SIGKILL)
        for t in self.tpms:
            t.stop()
        if os.environ.get("KEEP"):
            print("# kept: " + self.work)
        else:
            shutil.rmtree(self.work, ignore_errors=True)


class Tap:
    """Counts and prints; a test is a function that raises Wrong."""

    def __init__(self):
        self.n, self.bad = 0, 0
        self.only = os.environ.get("CASE", "")

    def __call__(self, name, fn, *args):
        if self.only and self.only not in name:
            return
        self.n += 1
        begun = time.monotonic()
        try:
            fn(*args)
            print("ok %d - %s" % (self.n, name))
        except Wrong as e:
            self.bad = 1
            print("not ok %d - %s" % (self.n, name))
            print("\n".join("# " + l for l in str(e).split("\n")))
        print("# %.1f s" % (time.monotonic() - begun))
        sys.stdout.flush()
