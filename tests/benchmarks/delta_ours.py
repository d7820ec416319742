# SPDX-License-Identifier: Apache-2.0
"""Makes one patch of this project's and applies it with the device's decoder, as a program, for its memory.

    delta_ours.py OLD NEW LOAD_BASE

Prints one line of JSON: bytes, header_bytes, full_bytes, seconds, apply_seconds, peak_kib (Python and its modules
included), problem.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from muster.delta import apply, encode, encode_full
from tests.benchmarks.delta_peers import peak_kib


def main() -> None:
    base, target = (Path(name).read_bytes() for name in sys.argv[1:3])
    begin = time.perf_counter()
    patch = encode(base, target, load_base=int(sys.argv[3], 0))
    encoded = time.perf_counter()
    memory = peak_kib()
    result = apply(base, patch.raw)
    applied = time.perf_counter()
    answer = {
        "bytes": len(patch),
        "header_bytes": len(patch.header.to_bytes()),
        "full_bytes": len(encode_full(target)),
        "seconds": encoded - begin,
        "apply_seconds": applied - encoded,
        "peak_kib": memory,
        "problem": None if result == target else "the decoder makes something else of the patch",
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
