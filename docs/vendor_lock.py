"""Write marketing/static/vendor/LOCK.json: the third-party browser code in the tree, with hashes,
and compressed copies beside it for browsers that take them.

Run it after changing anything under marketing/static/vendor, fonts or icons.svg. The test
tests/platform/test_vendor.py compares the files with it.
"""

import hashlib
import json
from pathlib import Path

import brotli

STATIC = Path(__file__).resolve().parent.parent / "marketing" / "static"
PARTS = [
    ("vendor/htmx-2.0.11.min.js", "htmx.org", "2.0.11", "0BSD", ["htmx"]),
    ("vendor/idiomorph-ext-0.8.0.min.js", "idiomorph", "0.8.0", "0BSD", ["idiomorph"]),
    (
        "vendor/alpine-csp-3.17.4.min.js",
        "@alpinejs/csp",
        "3.17.4",
        "MIT",
        ["alpine", "vue-reactivity"],
    ),
    (
        "vendor/echarts-6.1.0.custom.min.js",
        "echarts (own selection of charts)",
        "6.1.0",
        "Apache-2.0",
        ["echarts", "echarts-NOTICE", "zrender", "d3"],
    ),
    ("vendor/dagre-3.1.3.min.js", "@dagrejs/dagre", "3.1.3", "MIT", ["dagre"]),
    ("fonts/inter-latin-opsz.woff2", "@fontsource-variable/inter", "5.3.0", "OFL-1.1", ["inter"]),
    ("icons.svg", "@tabler/icons (own selection)", "3.51.0", "MIT", ["tabler-icons"]),
]

if __name__ == "__main__":
    lock = [
        {
            "file": file,
            "name": name,
            "version": version,
            "licence": licence,
            "licence_texts": [f"vendor/licenses/{text}.txt" for text in texts],
            "sha256": hashlib.sha256((STATIC / file).read_bytes()).hexdigest(),
        }
        for file, name, version, licence, texts in PARTS
    ]
    for path in STATIC.glob("vendor/*.js"):
        path.with_name(f"{path.name}.br").write_bytes(brotli.compress(path.read_bytes()))
    (STATIC / "vendor" / "LOCK.json").write_text(json.dumps(lock, indent=2) + "\n")
    print(f"{len(lock)} parts written")
