#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a Plumbline ledger directory with none of Plumbline's code: plumb-ledger-check.py [--ima-key=FILE]... DIR [RECORD]

Python's standard library; the openssl command for signatures, the zstd command for packed segments. Tree (RFC 6962) over the exact
bytes of the lines, segment headers, tiles, anchors and their PCR replay, quotes, the logs of what was booted (DIR/boot) and the lists of
what IMA measured (DIR/ima; FILE is a key, PEM, for its signatures of version 2) against the quoted registers, notes by the node's event key and by the witness, and what is not anchored. RECORD is the enrolment record, DIR/record.json when not given; keep a copy of your own, for root on the node can
replace the one in DIR. Exit code: 0 good, 1 bad, 2 unproven (nothing bad found, but something could not be checked) or could not tell.
The formats: docs/ledger.md."""
import base64, errno, hashlib, json, os, pathlib, re, stat, struct, subprocess, sys, tempfile

problems, unchecked = [], []


def h(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(text):
    return base64.b64decode(text, validate=True)


def safe(text):
    """Names and lines are whoever's: nothing of them steers a terminal."""
    text = re.sub(r"[^ -~]", lambda m: ascii(m[0])[1:-1], text)
    return text if len(text) <= 1000 else text[:1000] + "..."


def say(text, to=sys.stdout):
    print(safe(text), file=to)


def open_plain(path):
    """To read; a link may lead anywhere, and a FIFO never ends."""
    try:
        file = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY), "rb")
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise ValueError(f"{path} is no plain file") from error
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise ValueError(f"{path} is no plain file")
    return file


def read_plain(path):
    with open_plain(path) as file:
        return file.read()


def u64(number):
    return struct.pack(">Q", number)


def sized(*fields):
    return b"".join(struct.pack(">I", len(f)) + f for f in fields)


class Tree:
    def __init__(self, size=0, hashes=()):
        self.size, self.hashes = size, list(hashes)

    def add(self, leaf):
        size = self.size
        while size & 1:
            leaf, size = h(b"\1", self.hashes.pop(), leaf), size >> 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self):
        if not self.hashes:
            return h()
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = h(b"\1", left, node)
        return node


def checkpoint(origin, size, root):
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


# Keys and signatures


def der_int(data):
    data = data.lstrip(b"\0") or b"\0"
    data = b"\0" + data if data[0] & 128 else data
    return bytes([2, len(data)]) + data


class Reader:
    """TPM structures: big-endian numbers; a TPM2B has its size in 16 bits before it."""

    def __init__(self, data):
        self.data = data

    def take(self, n):
        if n > len(self.data):
            raise ValueError("a TPM structure is cut short")
        part, self.data = self.data[:n], self.data[n:]
        return part

    def u(self, n):
        return int.from_bytes(self.take(n), "big")

    def tpm2b(self):
        return self.take(self.u(2))


def tpm_key(public):
    """TPM2B_PUBLIC of a P-256 key -> SubjectPublicKeyInfo."""
    area = Reader(Reader(public).tpm2b())
    if area.u(2) != 0x23:
        raise ValueError("a TPM key is not ECC")
    area.take(6), area.tpm2b()
    area.take(0 if area.u(2) == 0x10 else 4)
    area.take(0 if area.u(2) == 0x10 else 2)
    if area.u(2) != 3 or area.u(2) != 0x10:
        raise ValueError("a TPM key is not on the curve P-256")
    point = area.tpm2b().rjust(32, b"\0") + area.tpm2b().rjust(32, b"\0")
    return bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + point


def tpm_signature(data):
    """TPMT_SIGNATURE, ECDSA with SHA-256 -> DER."""
    r = Reader(data)
    if r.u(2) != 0x18 or r.u(2) != 0x0B:
        raise ValueError("a TPM signature is not ECDSA with SHA-256")
    body = der_int(r.tpm2b()) + der_int(r.tpm2b())
    return bytes([0x30, len(body)]) + body


def verify(spki, data, signature, ed25519=False):
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(spki) + b"-----END PUBLIC KEY-----\n"
        for name, part in (("key", pem), ("data", data), ("sig", signature)):
            (d / name).write_bytes(part)
        how = ["dgst", "-sha256", "-verify", d / "key", "-signature", d / "sig", d / "data"]
        if ed25519:
            how = ["pkeyutl", "-verify", "-pubin", "-inkey", d / "key", "-sigfile", d / "sig", "-rawin", "-in", d / "data"]
        return subprocess.run(["openssl", *how], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def attest(data, signature, ak, kind, qualifying):
    """A TPMS_ATTEST after its head; nothing is read before the attestation key's signature holds."""
    if not verify(tpm_key(ak), data, tpm_signature(signature)):
        raise ValueError("the attestation key did not sign it")
    r = Reader(data)
    if r.u(4) != 0xFF544347 or r.u(2) != kind:
        raise ValueError("it is another kind of attestation")
    r.tpm2b()
    if r.tpm2b() != qualifying:
        raise ValueError("it does not bind what the line says")
    r.take(8)
    r.reset, r.restart = r.u(4), r.u(4)
    r.take(9)
    return r


class Record:
    """The enrolment record: whose key is whose."""

    def __init__(self, data):
        self.o = json.loads(data)
        self.ak, event = b64(self.o["ak_public"]), b64(self.o["event_public"])
        said = attest(b64(self.o["event_attest"]), b64(self.o["event_sig"]), self.ak, 0x8017,
                      h(b"plumb-event-key-v1", sized(self.ak, event)))
        if said.tpm2b() != b"\0\x0b" + h(Reader(event).tpm2b()):
            raise ValueError("the attestation key certified another event key")
        self.event = tpm_key(event)
        # Each key of the witness, with the size of the largest head that it may have cosigned; None: the one it has now.
        self.witnesses = [(b64(self.o["witness_key"]), None)] + [(b64(w["key"]), w["size"]) for w in self.o.get("witnesses_before", [])]

    def note(self, name, blob, text, size):
        """Whose signature it is: event, witness, false, or None when the key is not known."""
        if name == self.o["origin"] and blob[:4] == h(self.event)[:4]:
            return "event" if verify(self.event, text, blob[4:]) else "false"
        for key, last in self.witnesses if name == self.o["witness_name"] else []:
            if blob[:4] != h(name.encode(), b"\n\4", key[-32:])[:4]:
                continue
            said = b"cosignature/v1\ntime %d\n" % struct.unpack(">Q", blob[4:12]) + text
            return "witness" if (last is None or size <= last) and verify(key, said, blob[12:], True) else "false"
        return None

    def quote(self, q, extends):
        """Signature, what it binds, PCR values; and the runtime PCR must be what the anchors replay to."""
        bound = sized(b64(q["nonce"]), self.o["node"].encode(), u64(self.o["incarnation"]), q["checkpoint"].encode(),
                      bytes.fromhex(q["boot_log"]), u64(q["ima_cursor"]), u64(q["baseline"]), u64(q["order"]), bytes.fromhex(q["client_key"]))
        r = attest(b64(q["attest"]), b64(q["sig"]), self.ak, 0x8018, h(b"plumb-quote-v1", bound))
        if (r.u(4), r.u(2), r.u(1)) != (1, 0x0B, 3):
            raise ValueError("it is not over SHA-256 PCRs alone")
        if int.from_bytes(r.take(3), "little") != sum(1 << int(i) for i in q["pcrs"]) or q["pcr_index"] != self.o["pcr_index"]:
            raise ValueError("it covers other PCRs than it should")
        if r.tpm2b() != h(*(bytes.fromhex(q["pcrs"][i]) for i in sorted(q["pcrs"], key=int))):
            raise ValueError("the PCR values are not those quoted")
        want = (q["checkpoint"].encode(), q["size"], bytes.fromhex(q["pcrs"][str(q["pcr_index"])]), q["pcr_index"], r.reset)
        done = [e for e in extends if e["pcr"] and e["last"] is not None and e["epoch"][2] <= r.restart <= e["last"]]
        if want not in [(checkpoint(self.o["origin"], e["size"], e["root"]), e["size"], e["pcr"], *e["epoch"][:2]) for e in done]:
            raise ValueError(f"the anchors do not replay to its PCR {q['pcr_index']} at {q['size']} with its reset and restart counts")
        return r.reset


# What was booted

BOOT_PCRS = [*range(10), 14]
# What systemd measures from user space, by its kind: into which registers, and what its text must be. A volume's key cannot be made anew.
MEASURED = {"phase": ({11}, "[a-z0-9_:-]+"), "filesystem": ({15}, "file-system:.+"), "machine-id": ({15}, "machine-id:[0-9a-f]{32}"),
            "nvpcr-init": ({9}, "nvpcr-init:.+"), "nvpcr-separator": ({9}, "nvpcr-separator"),
            "os-separator": (set(range(16)) - {10}, "os-separator")}


def boot_values(log):
    """PCR 0 to 23 of the SHA-256 bank by a TCG log in the crypto-agile form."""
    pcrs, at, located, begun = [bytes(32)] * 24, 0, False, False

    def take(n):
        nonlocal at
        if n > len(log) - at:
            raise ValueError(f"boot log: cut short at byte {at}")
        at += n
        return log[at - n:at]

    def u(n):
        return int.from_bytes(take(n), "little")
    pcr, kind, _ = u(4), u(4), take(20)
    spec = take(u(4))
    if (pcr, kind, spec[:15]) != (0, 3, b"Spec ID Event03"):
        raise ValueError("boot log: it is not in the crypto-agile form")
    algs = struct.unpack_from("<I", spec, 24)[0]
    sizes = dict(struct.unpack_from("<HH", spec, 28 + 4 * i) for i in range(algs))
    while at < len(log):  # the kernel hands out whole events, and no padding after the last
        here, pcr, kind, digests = at, u(4), u(4), {}
        if pcr > 23 and (pcr, kind) != (0xFFFFFFFF, 3):
            raise ValueError(f"boot log: byte {here}: PCR {pcr}")
        n = u(4)
        for _ in range(n if n == algs else 0):
            alg = u(2)
            digests[alg] = take(sizes.get(alg, len(log)))
        if set(digests) != set(sizes):
            raise ValueError(f"boot log: byte {here}: {n} digests that are not one of each algorithm of the header")
        data = take(u(4))
        if kind != 3:
            pcrs[pcr], begun = h(pcrs[pcr], digests[0xB]), begun or pcr == 0
        elif data[:16] == b"StartupLocality\0":
            if pcr or len(data) != 17 or located or begun or data[16] not in (0, 3, 4):
                raise ValueError(f"boot log: byte {here}: StartupLocality of another register or form, a second one, or after PCR 0 was extended")
            pcrs[0], located = bytes(31) + data[16:], True
    return pcrs


def measured_digest(record, pcr):
    """What it extends that register by, made anew from its text; None: it is of another one. Of what is no such record: any error."""
    o = json.loads(record)
    digests = [bytes.fromhex(d["digest"]) for d in o["digests"] if d["hashAlg"] == "sha256"]
    content = o["content"] if o["content_type"] == "systemd" else {}
    if o.get("pcr") != pcr:
        return None
    where, form = MEASURED.get(content.get("eventType"), (set(), "."))
    text = content.get("string", "")
    if pcr not in where or not re.fullmatch(form, text) or re.search(r"[\x00-\x1f\x7f]", text) or digests != [h(text.encode())]:
        raise ValueError("its digest is not that of its text")
    return digests[0]


def measured_leads(directory, pcr, start, goal):
    """Whether records of one of systemd's logs lead there, each digest made anew from its text."""
    for path in sorted((directory / "boot").glob("*.measured")):
        value = start
        try:
            data = read_plain(path)
        except ValueError:
            continue
        for record in data.split(b"\x1e")[1:]:
            if value == goal:
                break
            try:
                digest = measured_digest(record, pcr)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                break
            value = h(value, digest) if digest else value
        if value == goal:
            return True
    return False


def check_boot(directory, log, quoted):
    """None where the log is the one that the quote is bound to and leads to its registers; else why not, and whether that is bad."""
    path, name = directory / "boot" / f"{log.hex()}.log", f"boot log {log.hex()[:12]}"
    if any(i not in quoted for i in BOOT_PCRS):
        return "the quote does not cover PCR 0 to 9 and 14", False
    if log == bytes(32):
        return "the node had no log", False
    if not path.exists():
        return f"{name} is absent", False
    try:
        data = read_plain(path)
    except ValueError:
        return f"{name} is no plain file", True
    other = "" if h(data) == log else f"{name} is not the one that the quote is bound to: "
    try:
        values = boot_values(data)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        return f"{other}{error}", True
    wrong = [i for i in BOOT_PCRS if quoted[i] != values[i] and not measured_leads(directory, i, values[i], quoted[i])]
    if wrong:
        return f"{other}PCR {', '.join(map(str, wrong))}: its events do not come to the quote's", True
    return (other + "the registers agree, so it was changed where none of them covers it", True) if other else None


# What IMA measured

MAX_IMA = 128 << 20


def ima_entries(data):
    """(PCR, template digest, template, data that it is of, its fields, where it ends) of each whole entry; then (None, why the rest is none)."""
    at = 0
    while at < len(data):
        begun = at

        def take(n, most=None):
            nonlocal at
            if most is not None and n > most:
                raise ValueError(f"the entry at byte {begun} has a part of {n} bytes")
            if n > len(data) - at:
                raise ValueError(f"it ends within the entry at byte {begun}")
            at += n
            return data[at - n:at]

        def u():
            return int.from_bytes(take(4), "little")
        try:
            pcr, digest, name = u(), take(20), take(u(), 128)
            if pcr > 23:
                raise ValueError(f"PCR {pcr} is none, at byte {begun}")
            if name == b"ima":
                fields = [take(20), take(u(), 255)]
                body = fields[0] + fields[1].ljust(256, b"\0")
            else:
                body, fields, inner = take(u(), 128 << 10), [], 0
                while inner + 4 <= len(body):
                    size = int.from_bytes(body[inner:inner + 4], "little")
                    fields.append(body[inner + 4:inner + 4 + size])
                    inner += 4 + size
        except ValueError as error:
            yield None, str(error)
            return
        yield pcr, digest, name, body, fields, at


IMA_FIELDS = {b"ima-ng": b"d-ng|n-ng", b"ima-sig": b"d-ng|n-ng|sig", b"ima-ngv2": b"d-ngv2|n-ng", b"ima-sigv2": b"d-ngv2|n-ng|sig", b"ima-buf": b"d-ng|n-ng|buf",
              b"ima-modsig": b"d-ng|n-ng|sig|d-modsig|modsig", b"ima": b"d|n",
              b"evm-sig": b"d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode"}


class ImaKeys:
    """Signatures of security.ima, version 2, by public keys; what was checked once is remembered."""

    def __init__(self, paths):
        self.keys, self.known = {}, {}
        for path in paths:
            der = subprocess.run(["openssl", "pkey", "-pubin", "-in", path, "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
            offset = next(line.split(":")[0] for line in subprocess.run(
                ["openssl", "asn1parse", "-inform", "DER"], input=der, capture_output=True, check=True).stdout.decode().splitlines() if "BIT STRING" in line)
            at = int(offset) + (2 if der[int(offset) + 1] < 128 else 2 + (der[int(offset) + 1] & 127)) + 1
            self.keys[hashlib.sha1(der[at:]).digest()[-4:]] = path

    def check(self, name, fields):
        """good, bad, unchecked, or None where there is no signature."""
        names = IMA_FIELDS.get(name, name).split(b"|")
        part = dict(zip(names, fields)) if len(names) == len(fields) else {}
        sig, modsig = part.get(b"sig", b""), part.get(b"modsig", b"")
        if not sig and not modsig:
            return None
        digest = part.get(b"d-ng") or part.get(b"d-ngv2", b"").split(b":", 1)[-1]
        if not sig or sig[:2] != b"\3\2" or len(sig) < 9 or sig[3:7] not in self.keys or b":\0" not in digest:
            return "unchecked"
        if (sig, digest) not in self.known:
            algorithm, value = digest.split(b":\0", 1)
            with tempfile.TemporaryDirectory() as d:
                d = pathlib.Path(d)
                (d / "sig").write_bytes(sig[9:])
                (d / "digest").write_bytes(value)
                self.known[sig, digest] = subprocess.run(
                    ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", self.keys[sig[3:7]], "-sigfile", d / "sig", "-in", d / "digest",
                     "-pkeyopt", "digest:" + algorithm.decode("ascii", "replace")], capture_output=True).returncode == 0
        return "good" if self.known[sig, digest] else "bad"


def ima_replay(data, start, seals, wanted, keys):
    """Goes through a list once. seals: (entries, bytes, digest, line) by entries; wanted: the registers' values. Where each of these is reached, what was
    counted up to the last of them, the first seal that is not what is there, the entry whose digest is of other data, the register at the end."""
    pcr, n, at, summed, total = start, 0, 0, 0, hashlib.sha256()
    met, broken, altered, held, left = {}, None, None, 0, list(seals)
    counts = {"violations": 0, "other": 0, "good": 0, "bad": 0, "unchecked": 0}
    result = {"counts": counts, "why": ""}

    def look():
        nonlocal broken, held, summed
        while not broken and left and left[0][0] == n:
            total.update(data[summed:at])
            summed = at
            if left[0][1] != at or left[0][2] != total.digest():
                broken = left[0]
                return
            held = left.pop(0)[0]
        if pcr in wanted:
            met[pcr] = n
            result["counts"] = dict(counts)
    look()
    for entry in ima_entries(data):
        if entry[0] is None:
            result["why"] = entry[1]
            break
        index, digest, name, body, fields, at = entry
        violation = digest == bytes(20)
        if not violation and digest != hashlib.sha1(body).digest() and altered is None:
            altered = n
        counts["violations"] += violation
        counts["other"] += index != 10
        verdict = keys.check(name, fields)
        if verdict:
            counts[verdict] += 1
        if index == 10:
            pcr = h(pcr, b"\xff" * 32 if violation else h(body))
        n += 1
        look()
    result.update(met=met, broken=broken, altered=altered, held=held, left=left, n=n, end=pcr)
    return result


def judge_ima(g, seals, quotes, moved):
    """(whether it is bad, the line, why) of what is wrong with one list; quotes: (line, register, cursor, cursor's line, reset)."""
    s, bad = g["broken"], None
    end = s[0] if s else max(g["met"].values(), default=0)
    named = g["altered"] is not None and g["held"] <= g["altered"] < end
    more = f"; entry {g['altered']} has a digest of other data" if named else ""
    if s:
        return True, s[3], f"entries {g['held']} to {s[0] - 1} are not those that line {s[3]} sealed{more}"
    if g["left"]:
        s = g["left"][0]
        return True, s[3], f"line {s[3]} sealed {s[0]} entries, and {g['n']} are there: it was cut" + (f"; {g['why']}" if g["why"] else "")
    last = max((s[3] for s in seals if not s[4]), default=0)
    if named:
        return True, last, more[2:]
    for line, pcr, cursor, cursor_line, _ in quotes:
        at = g["met"].get(pcr)
        if at is not None and at + 1 >= cursor:
            continue
        if pcr == bytes(32):
            found = False, 0, "PCR 10 was extended with none of it: IMA began without this TPM"
        elif at is not None:
            found = True, cursor_line, f"entries {at} to {cursor - 1} stood in the list before the quote in line {cursor_line}, and PCR 10 was never extended with them"
        elif moved:
            found = False, 0, f"it does not lead to the PCR 10 of line {line}: the kernel was started by kexec, or resumed from a disk"
        elif last > line:
            found = True, line, f"none of its {g['n']} entries leads to the PCR 10 that line {line} quoted"
        else:
            found = False, 0, f"the PCR 10 of line {line} is not reached, and the list was not read on after it"
        bad = found if not bad or (found[0] and not bad[0]) else bad
    return bad or (None if quotes else (False, 0, "no quote that holds has its PCR 10"))


def ima_quotes(quotes):
    """(boot, line, register, cursor, its line, reset): of one register those that follow one another are one."""
    merged = []
    for seq, o, reset in quotes:
        if "10" not in o["pcrs"]:
            continue
        q = [o["boot"].replace("-", ""), seq, bytes.fromhex(o["pcrs"]["10"]), o["ima_cursor"], seq, reset]
        if merged and (merged[-1][0], merged[-1][2], merged[-1][5]) == (q[0], q[2], q[5]):
            if q[3] > merged[-1][3]:
                merged[-1][3:5] = q[3:5]
        else:
            merged.append(q)
    return merged


def epochs_moved(epochs, boot):
    """By the epochs in anchors, (boot id, reset count): the kernel before this one ran under the same reset count (kexec), or this one has two (resumed from a disk)."""
    own = [i for i, e in enumerate(epochs) if e[0] == boot]
    return bool(own) and (len({epochs[i][1] for i in own}) > 1 or own[0] > 0 and epochs[own[0] - 1][1] == epochs[own[0]][1])


def check_imas(directory, lines, quotes, keys, told, epochs=()):
    """Each list of DIR/ima that a line has sealed, and each boot that was quoted."""
    seals, ends = {}, {}
    for seq, o in lines:
        try:
            if not re.fullmatch(r"\d{20}-[0-9a-f]{32}\.list", o["list"]) or not 0 <= o["bytes"] <= MAX_IMA or not 0 <= o["entries"]:
                raise ValueError("it names no list")
            if o["list"][21:53] != o["boot"].replace("-", ""):
                raise ValueError("it is of another boot")
            digest = bytes.fromhex(o["sha256"])
            if len(digest) != 32:
                raise ValueError("sha256 is no digest")
            seals.setdefault(o["list"], []).append((o["entries"], o["bytes"], digest, seq, o.get("full", False)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(f"line {seq}: ima: {error}")
    quotes = ima_quotes(quotes)
    newest = {name[21:53]: name for name in sorted(seals)}
    there = sorted({p.name.removesuffix(".zst") for p in (directory / "ima").glob("*.list*")} if (directory / "ima").is_dir() else set())
    for name in there:
        # No line that is here sealed it: its lines were pruned, or are in another part.
        if re.fullmatch(r"\d{20}-[0-9a-f]{32}\.list", name) and name[21:53] in {q[0] for q in quotes} and newest.get(name[21:53]) not in seals:
            newest[name[21:53]] = name
    names = [(name[21:53], name) for name in sorted({*seals, *newest.values()})]
    names += [(boot, None) for boot in dict.fromkeys(q[0] for q in quotes) if boot not in newest]
    for boot, name in names:
        own = [tuple(q[1:]) for q in quotes if q[0] == boot and newest.get(boot) == name]
        path = directory / "ima" / name if name else None
        packed = path.with_name(path.name + ".zst") if path else None
        if not path or not path.exists() and not packed.exists():
            if name or any(q[1] != bytes(32) for q in own):
                told.append(f"  ima: boot {boot[:8]}: " + ("it is absent" if name else "no list was kept"))
            continue
        data = read_plain(path) if path.exists() else read_segment(packed)
        own_seals, wanted = sorted(seals.get(name, []), key=lambda s: (s[0], s[3])), {q[1] for q in own}
        first = next((i for i, q in enumerate(quotes) if q[0] == boot), None)
        before = next((q for q in reversed(quotes[:first]) if q[0] != boot), None) if first is not None else None
        kexec = before is not None and before[5] == quotes[first][5]
        before = newest.get(before[0]) if kexec else None
        moved = kexec or len({q[4] for q in own}) > 1 or epochs_moved(epochs, boot)
        g = ima_replay(data, bytes(32), own_seals, wanted, keys)
        what = judge_ima(g, own_seals, own, moved)
        if not g["met"] and before in ends and not (what and what[0]):
            g = ima_replay(data, ends[before], own_seals, wanted, keys)
            what = judge_ima(g, own_seals, own, moved)
        ends[name] = g["end"]
        c = g["counts"]
        if what and what[0]:
            problems.append((f"line {what[1]}: " if what[1] else "") + f"IMA's list of boot {boot[:8]}: {what[2]}")
        told.append(f"  ima: boot {boot[:8]}: {max(g['met'].values(), default=0)} of {g['n']} entries are what PCR 10 was quoted with, violations {c['violations']}, "
                    f"of another PCR {c['other']}, signatures good {c['good']}, bad {c['bad']}, not checked {c['unchecked']}" + (f": {what[2]}" if what else ""))


# The files


def read_anchors(path, origin, epochs):
    """Replays the PCR; gives all extends in order, each with the PCR's value after it once it is done. epochs gets the boot id and the reset count of each."""
    data, extends, at, pcr, epoch, pending = read_plain(path), [], 17, bytes(32), (None, None, None), None
    if not data.startswith(b"plumb-anchors-v1\n"):
        problems.append("anchors: does not start with plumb-anchors-v1")
        return extends
    while at < len(data):
        here, size = at, struct.unpack(">I", data[at:at + 4])[0] if at + 4 <= len(data) else 0
        body = data[at + 4:at + 4 + size]
        if size < 6 or len(body) < size or h(body[:-4])[:4] != body[-4:]:
            # At the very end it is what a crash leaves; the same anywhere else was done by somebody.
            torn = at + 4 + size >= len(data) or not any(data[at:])
            (unchecked if torn else problems).append(f"anchors: byte {at}: record is cut short or changed")
            break
        (kind,), body, at = struct.unpack(">H", body[:2]), body[2:-4], at + 4 + size
        after = h(pcr, h(checkpoint(origin, pending["size"], pending["root"]))) if pending else None
        if kind == 1:
            counts, index, base, found = struct.unpack(">II", body[16:24]), body[24], body[25], body[26:58]
            if base == 1 and found != bytes(32) or base == 2 and found not in (pcr, after):
                problems.append(f"anchors: byte {here}: the epoch's first PCR value is not what it says")
            if base == 3 and not measured_leads(path.parent, index, bytes(32), found):
                unchecked.append(f"anchors: byte {here}: no log explains the PCR's first value; what was anchored before it proves nothing here")
            if base == 4 or base != 2 and counts == epoch[1:]:
                unchecked.append(f"anchors: byte {here}: the PCR's first value is unproven; what was anchored before it proves nothing here")
            done = next((e for e in reversed(extends) if e["pcr"]), None)
            if base != 2:
                pcr, extends = found, [{**e, "old": True} for e in extends]
            elif done and not done["old"] and done["pcr"] == found and done["epoch"][:2] == (index, counts[0]):
                # What was done last still stands in the register when the restart count is another.
                done["last"] = max(done["last"], counts[1])
            epoch = (index, *counts)
            epochs.append((body[:16].hex(), counts[0]))
        elif kind == 2:
            pending = {"size": struct.unpack(">Q", body[:8])[0], "root": body[8:40], "epoch": epoch, "pcr": None, "old": False}
            extends.append(pending)
        elif kind == 3:
            if after != body:
                problems.append(f"anchors: byte {here}: PCR does not replay")
            else:
                # Begun in one epoch, it may be done in the next one: a quote of it has these counts.
                extends[-1].update(pcr=body, epoch=epoch, last=epoch[2], old=False)
            pcr, pending = body, None
        elif kind == 4:
            unchecked.append(f"anchors: byte {here}: somebody else extended the PCR; what was anchored before it proves nothing here")
            pcr = body[32:64]
        else:
            problems.append(f"anchors: byte {here}: unknown kind {kind}")
    return extends


def read_notes(path, origin, record):
    """(size, root, who, time) of each signature line; who is None where the key is not known."""
    found = []
    *lines, torn = read_plain(path).decode(errors="replace").split("\n")
    unchecked.extend(["notes: the last line has no end"] if torn else [])
    for number, line in enumerate(lines, 1):
        try:
            size, root, name, blob = line.split(" ")
            if str(int(size)) != size or int(size) < 0:
                raise ValueError
            size, root, blob = int(size), b64(root), b64(blob)
            who = record.note(name, blob, checkpoint(origin, size, root), size) if record else None
        except (ValueError, struct.error):
            problems.append(f"notes: line {number} is malformed")
            continue
        if who == "false":
            problems.append(f"notes: line {number}: signature by {name} is false")
        elif who is None and record:
            unchecked.append(f"notes: line {number}: the key of {name} is not in the record")
        found.append((size, root, who, struct.unpack(">Q", blob[4:12])[0] if who == "witness" else 0))
    return found


def read_segment(path):
    if path.suffix != ".zst":
        return read_plain(path)
    with open_plain(path) as file, subprocess.Popen(["zstd", "-dcq", "--memory=8MB"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd:
        data = zstd.stdout.read(1 << 30)
    return data if zstd.returncode == 0 else b""


def tile_leaf(directory, seq, cache={}):
    tile = directory / "tiles" / "0" / f"{seq // 256:012d}"
    if cache.get("path") != tile or len(cache["data"]) <= seq % 256 * 32:
        cache["path"], cache["data"] = tile, read_plain(tile) if tile.exists() else b""
    leaf = cache["data"][seq % 256 * 32:seq % 256 * 32 + 32]
    return leaf if len(leaf) == 32 and leaf != bytes(32) else None


def pruned_part(directory, first, frontier, roots):
    """The tree of the lines that are gone, by their hashes in tiles/, and the checkpoints of that time."""
    tree = Tree()
    while tree.size < first:
        leaf = tile_leaf(directory, tree.size)
        if leaf is None:
            unchecked.append(f"tiles/ is absent or short: checkpoints of the lines before {first}, which were pruned, cannot be checked")
            break
        tree.add(leaf)
        check_roots(tree, roots)
    if tree.size == first and tree.hashes != frontier:
        problems.append(f"events-{first:020d}.jsonl: its frontier is not the tree of the hashes in tiles/")


def tiles_root(directory, tree, size):
    """Of the first size lines, or None where a tile is missing; tree has fewer, or as many."""
    while tree.size < size:
        leaf = tile_leaf(directory, tree.size)
        if leaf is None:
            return None
        tree.add(leaf)
    return tree.root()


def check_pruned(directory, segments, head, lines):
    """Each line that is gone must be named by a `pruned` line, with the tree that it had."""
    first, firsts, claimed, best, walk = head.size, [int(p.name[7:27]) for p in segments], 0, None, Tree()
    for seq, o in sorted(lines, key=lambda x: x[1]["first"] if isinstance(x[1].get("first"), int) else -1):
        try:
            past, root, when, why = o["first"], bytes.fromhex(o["root"]), o["t"], o["why"]
            if not 0 <= o["from"] < past <= seq or len(root) != 32 or why not in ("age", "size") or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", when):
                raise ValueError
            if any(type(o[k]) is not int or o[k] < 0 for k in ("from", "first", "bytes", "order")):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            problems.append(f"line {seq}: pruned: it is malformed, or says that lines went that are none")
            continue
        if past > first and past not in firsts:
            problems.append(f"line {seq} says that lines up to {past - 1} were pruned: no segment ends there")
        have = head.root() if past == first else tiles_root(directory, walk, past)
        if have is None:
            unchecked.append(f"line {seq}: the tree of the lines that it says were pruned cannot be checked without tiles/")
        elif have != root:
            problems.append(f"line {seq} says that lines up to {past - 1} were pruned, and tells another tree of them than there was")
        claimed = max(claimed, past)
        if past >= first > 0 and (not best or past < best[0]):
            best = past, when, why, seq
    if claimed < first:
        problems.append(f"lines {claimed} to {first - 1} are missing: no `pruned` line says that they were to go")
    if best:
        say(f"  pruned: lines 0 to {first - 1} were pruned on {best[1][:10]} {best[1][11:19]}, by {best[2]}: line {best[3]} says so")
        if best[0] > first:
            say(f"  note: that line also names lines {first} to {best[0] - 1}, which are still here: the agent removes them at its next start")


def check_roots(tree, roots):
    for root, what in roots.pop(tree.size, []):
        if root != tree.root():
            problems.append(f"line {tree.size - 1} or one before it is not what was {what} at {tree.size}")


def check_header(path, line, tree, origin):
    try:
        head = json.loads(line)
        first, frontier = head["first"], [b64(x) for x in head["frontier"]]
        if len(frontier) != bin(first).count("1") or head["origin"] != origin or path.name[7:27] != f"{first:020d}":
            raise ValueError
    except (ValueError, KeyError, TypeError):
        problems.append(f"{path.name}: its header is damaged or of another ledger")
        return tree or Tree()
    if tree and (first != tree.size or frontier != tree.hashes):
        problems.append(f"{path.name}: does not go on from line {tree.size}")
    return Tree(first, frontier)


def cut_short(path, directory, roots, newest, seq):
    """No line, at the end of the newest segment, where no checkpoint and no tile says that lines were synced: a power cut may leave that."""
    if not newest or path.suffix == ".zst" or any(size > seq for size in roots) or tile_leaf(directory, seq) is not None:
        return False
    unchecked.append(f"{path.name}: line {seq}, beyond what is anchored, is none")
    return True


def check_segment(path, directory, tree, origin, roots, found, newest):
    head, *lines = read_segment(path).split(b"\n")
    torn, short, begun = lines.pop() if lines else b"", False, tree is not None
    if begun and lines and b"\0" in head and cut_short(path, directory, roots, newest, tree.size):
        return tree, False
    tree = check_header(path, head, tree, origin)
    if not begun:
        found["head"] = Tree(tree.size, tree.hashes)
        pruned_part(directory, tree.size, tree.hashes, roots)
        check_roots(tree, roots)
    for line in lines:
        seq, leaf, said, kind = tree.size, h(b"\0", line), None, None
        try:
            o = json.loads(line)
            said, kind = o["seq"], o["type"]
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        if said != seq and cut_short(path, directory, roots, newest, seq):
            return tree, short
        tile = tile_leaf(directory, seq)
        short = short or tile is None
        if tile not in (None, leaf):
            problems.append(f"{path.name}: line {seq} was changed: its hash is not the one in tiles/")
        if said is None:
            problems.append(f"{path.name}: line {seq} is no JSON object with a seq")
        elif said != seq:
            problems.append(f"{path.name}: line {seq} says that it is another")
        if kind in ("quote", "pruned", "ima"):
            found[kind].append((seq, o))
        tree.add(leaf)
        check_roots(tree, roots)
    if torn:
        (unchecked if newest else problems).append(f"{path.name}: line {tree.size} has no end")
    return tree, short


def check(directory, record_path, ima_keys=()):
    segments = {p.name[:33]: p for p in sorted(directory.glob("events-*.jsonl*"), reverse=True) if re.fullmatch(r"events-[0-9]{20}\.jsonl(\.zst)?", p.name)}
    segments = [segments[name] for name in sorted(segments)]
    if not segments:
        say(f"error: {directory} has no events-*.jsonl")
        return 2
    origin, record = None, None
    for segment in segments:
        try:
            origin = origin or json.loads(read_segment(segment).split(b"\n", 1)[0])["origin"]
        except (ValueError, KeyError):
            pass  # told when it is its turn
    if origin is None:
        say(f"error: {directory} has no segment with a header")
        return 2
    if record_path.exists():
        own = record_path == directory / "record.json"
        record = Record(read_plain(record_path) if own else record_path.read_bytes())
        if record.o["origin"] != origin:
            problems.append(f"{record_path}: is the record of another ledger, {record.o['origin']}")
    else:
        unchecked.append("record.json is absent: signatures and quotes cannot be checked")
    epochs = []
    extends = read_anchors(directory / "anchors", origin, epochs) if (directory / "anchors").exists() else []
    notes = read_notes(directory / "notes", origin, record) if (directory / "notes").exists() else []
    roots, tree, found, short, quoted, boots = {}, None, {"quote": [], "pruned": [], "ima": []}, False, 0, {}
    for size, root, what in [(e["size"], e["root"], "anchored") for e in extends] + [(n[0], n[1], "signed") for n in notes]:
        roots.setdefault(size, []).append((root, what))
    for segment in segments:
        tree, no_tile = check_segment(segment, directory, tree, origin, roots, found, segment == segments[-1])
        short = short or no_tile
    problems.extend(f"line {tree.size} and those after it are missing: {size} was {what}" for size in sorted(roots)
                    for _, what in roots[size] if size > tree.size)
    if tile_leaf(directory, tree.size):
        problems.append(f"line {tree.size} is missing: tiles/ has its hash")
    held = []
    for seq, q in found["quote"] if record else []:
        try:
            reset = record.quote(q, extends)
            if q["size"] > seq:
                raise ValueError(f"it is of {q['size']} lines, which do not all stand before it")
            held.append((seq, q, reset))
            quoted = max(quoted, q["size"])
            registers = {int(i): bytes.fromhex(x) for i, x in q["pcrs"].items()}
            boots.setdefault((reset, bytes.fromhex(q["boot_log"]), tuple(sorted((i, x) for i, x in registers.items() if i in BOOT_PCRS))), seq)
        except (ValueError, KeyError, TypeError, struct.error) as error:
            problems.append(f"line {seq}: its quote does not hold: {error}")
    told = []
    for (reset, log, registers), seq in boots.items():
        what = check_boot(directory, log, dict(registers))
        if what and what[1]:
            problems.append(f"line {seq}: what was booted: {what[0]}")
        told.append(f"  boot: reset {reset}, quoted in line {seq}: " + (what[0] if what else f"as boot log {log.hex()[:12]} says"))
    check_imas(directory, found["ima"], held, ImaKeys(ima_keys), told, epochs)
    anchored = max((e["size"] for e in extends if e["pcr"] and not e["old"]), default=0)
    unchecked.extend([] if anchored else ["no TPM anchor: that lines are missing at the end, or that all were rewritten, cannot be told"])
    unchecked.extend([] if quoted else ["no quote that holds: nothing ties the anchors to a TPM"])
    signed = max((n[0] for n in notes if n[2] == "event"), default=0)
    cosigned = max(((n[0], n[3]) for n in notes if n[2] == "witness"), default=(0, 0))
    if record and record.o["witness_key"] and not cosigned[0]:
        unchecked.append("no cosignature of the witness that the record names: that all was written anew after a reset of the TPM cannot be told")
    say(f"{directory}: head {tree.size}, root {base64.b64encode(tree.root()).decode()}")
    say(f"  anchored up to {anchored}, quoted up to {quoted}, signed up to {signed}, cosigned up to {cosigned[0]} (time {cosigned[1]})")
    for text in told:
        say(text)
    check_pruned(directory, segments, found["head"], found["pruned"])
    if anchored < tree.size:
        say(f"  unanchored: lines {anchored} to {tree.size - 1}")
    if short:
        say("  note: tiles/ is absent or short: a changed line is known only as far as its checkpoint")
    for text in unchecked:
        say(f"  unchecked: {text}")
    for text in problems:
        say(f"  bad: {text}")
    result = f"bad: {len(problems)} problems" if problems else f"unproven: nothing bad was found, but {len(unchecked)} points could not be checked" \
        if unchecked else f"good: every line up to the quote at {quoted} is where and what it was"
    say(result)
    return 1 if problems else 2 if unchecked else 0


if __name__ == "__main__":
    given = [a.split("=", 1)[1] for a in sys.argv[1:] if a.startswith("--ima-key=")]
    words = [a for a in sys.argv[1:] if not a.startswith("--ima-key=")]
    if len(words) not in (1, 2) or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    where = pathlib.Path(words[0])
    try:
        sys.exit(check(where, pathlib.Path(words[1]) if len(words) == 2 else where / "record.json", given))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, struct.error, subprocess.SubprocessError) as error:
        say(f"error: {error}", sys.stderr)
        sys.exit(2)
