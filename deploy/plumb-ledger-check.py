#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks a Plumbline ledger directory with Python's standard library alone: plumb-ledger-check.py DIR

Tree (RFC 6962) over the exact bytes of the lines, segment frontiers, tiles, anchors and their PCR replay, what is not anchored.
Exit code: 0 good, 1 not good, 2 could not tell. The formats: docs/ledger.md."""
import base64, hashlib, json, pathlib, struct, sys


def h(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


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


def anchors(path, origin, problems):
    """Replays the PCR; gives {size: root} of all that was extended, and the size that is anchored."""
    data, extended, anchored, pcr, pending = path.read_bytes(), {}, 0, bytes(32), None
    if not data.startswith(b"plumb-anchors-v1\n"):
        problems.append("anchors: does not start with plumb-anchors-v1")
        return extended, anchored
    at = 17
    while at < len(data):
        (size,) = struct.unpack(">I", data[at:at + 4]) if at + 4 <= len(data) else (0,)
        body = data[at + 4:at + 4 + size]
        if size < 6 or len(body) < size or h(body[:-4])[:4] != body[-4:]:
            problems.append(f"anchors: byte {at}: record is cut short or changed")
            break
        (kind,), body, at = struct.unpack(">H", body[:2]), body[2:-4], at + 4 + size
        if kind == 1 and body[25] != 2:
            pcr = body[26:58]
        elif kind == 2:
            pending = (struct.unpack(">Q", body[:8])[0], body[8:40])
            extended[pending[0]] = pending[1]
        elif kind == 3:
            if pending is None or h(pcr, h(checkpoint(origin, *pending))) != body:
                problems.append(f"anchors: byte {at}: PCR does not replay")
            pcr, anchored, pending = body, pending[0] if pending else anchored, None
        elif kind == 4:
            pcr = body[32:64]
    return extended, anchored


def tile_leaf(directory, seq, cache={}):
    tile = directory / "tiles" / "0" / f"{seq // 256:012d}"
    if cache.get("path") != tile:
        cache["path"], cache["data"] = tile, tile.read_bytes() if tile.exists() else b""
    leaf = cache["data"][seq % 256 * 32:seq % 256 * 32 + 32]
    return leaf if len(leaf) == 32 else None


def check(directory):
    problems, tree, origin, lines, tiles = [], None, None, 0, True
    segments = sorted(directory.glob("events-*.jsonl"))
    if not segments:
        print(f"error: {directory} has no events-*.jsonl")
        return 2
    origin = json.loads(segments[0].open("rb").readline())["origin"]
    path = directory / "anchors"
    extended, anchored = anchors(path, origin, problems) if path.exists() else ({}, 0)
    for segment in segments:
        with segment.open("rb") as f:
            head = json.loads(f.readline())
            frontier = [base64.b64decode(x) for x in head["frontier"]]
            if tree and (head["first"] != tree.size or frontier != tree.hashes):
                problems.append(f"{segment.name}: does not go on from line {tree.size}")
            if len(frontier) != bin(head["first"]).count("1") or head["origin"] != origin:
                problems.append(f"{segment.name}: its header is malformed or of another ledger")
            tree = Tree(head["first"], frontier)
            for line in f:
                seq, leaf = tree.size, h(b"\0", line[:-1])
                if not line.endswith(b"\n"):
                    problems.append(f"{segment.name}: line {seq} has no end")
                    break
                tile = tile_leaf(directory, seq)
                tiles = tiles and tile is not None
                if tile not in (None, leaf):
                    problems.append(f"{segment.name}: line {seq} was changed: its hash is not the one in tiles/")
                try:
                    if json.loads(line)["seq"] != seq:
                        problems.append(f"{segment.name}: line {seq} says that it is another")
                except (ValueError, KeyError, TypeError):
                    problems.append(f"{segment.name}: line {seq} is no JSON object with a seq")
                tree.add(leaf)
                lines += 1
                if extended.get(tree.size, tree.root() if tree.size in extended else None) != (tree.root() if tree.size in extended else None):
                    problems.append(f"line {seq} or one before it is not what was anchored at {tree.size}")
    problems += [f"line {tree.size} and those after it are missing: {size} was anchored" for size in extended if size > tree.size]
    print(f"{directory}: {lines} lines, head {tree.size}, root {base64.b64encode(tree.root()).decode()}, anchored up to {anchored}")
    if anchored < tree.size:
        print(f"  unanchored: lines {anchored} to {tree.size - 1}")
    if not tiles:
        print("  unchecked: tiles/ is absent or short")
    for problem in problems:
        print(f"  bad: {problem}")
    print("not good" if problems else "good")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    try:
        sys.exit(check(pathlib.Path(sys.argv[1])))
    except (OSError, ValueError, KeyError, struct.error) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
